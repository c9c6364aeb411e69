// A study as the lab knows it, and as its rater does.

import type {
  RaterPictureResolvers,
  RaterStudyResolvers,
  StudyInvitationResolvers,
  StudyRaterResolvers,
  StudyResolvers,
} from '../../generated/graphql.js';
import { describeDesign, studyProgress } from '../../services/studies.js';
import { listRaters } from '../../services/study-raters.js';
import { studyResults } from '../../services/study-results.js';
import { encodeId } from '../ids.js';
import { deletedBy } from './deletable.js';

export const Study: StudyResolvers = {
  id: ({ id }) => encodeId('Study', id),
  deletedBy,
  previous: ({ previousId }, _, { loaders }) => (previousId ? loaders.Study.load(previousId) : null),
  benchmark: async ({ benchmarkId }, _, { loaders }) => (await loaders.Benchmark.load(benchmarkId))!,
  seed: ({ seed, unsealedAt }) => (unsealedAt ? Number(seed) : null),
  balance: (study) => describeDesign(study),
  progress: ({ id }, _, { services }) => studyProgress(services, id),
  results: (study, _, { services }) => studyResults(services, study),
  exportPath: ({ id, unsealedAt }) => (unsealedAt ? `/files/studies/${id}/` : null),
  raters: ({ id }, _, { services }) => listRaters(services, id),
};

export const StudyRater: StudyRaterResolvers = {
  id: ({ id }) => `StudyRater_${id}`,
};

export const StudyInvitation: StudyInvitationResolvers = {
  path: ({ secret }) => `/rate#${secret}`,
};

const urlOf = (pictureId: string) => `/files/study-pictures/${pictureId}.png`;

export const RaterStudy: RaterStudyResolvers = {
  id: ({ studyId }) => encodeId('Study', studyId),
  consentVersion: ({ consent }) => consent.version,
  consentText: ({ consent }) => consent.text,
  preloadUrls: ({ ahead }) => ahead.flatMap(({ pictures }) => pictures.map(({ id }) => urlOf(id))),
  canUndo: ({ undoSeconds }) => undoSeconds > 0,
  completionCode: ({ completion }) => completion?.code ?? null,
  completionUrl: ({ completion }) => completion?.url ?? null,
};

export const RaterPicture: RaterPictureResolvers = {
  url: ({ id }) => urlOf(id),
};
