// One training of a subject's networks.

import type { ErrorCode, TrainingMetric, TrainingRunResolvers } from '../../generated/graphql.js';
import { listTrainingPoints } from '../../services/lists.js';
import { encodeId } from '../ids.js';

const names = (rows: readonly { name: string; heldOut: boolean }[], heldOut: boolean) =>
  rows.filter((row) => row.heldOut === heldOut).map((row) => row.name);

export const TrainingRun: TrainingRunResolvers = {
  id: ({ id }) => encodeId('TrainingRun', id),
  subject: async ({ subjectId }, _, { loaders }) => (await loaders.Subject.load(subjectId))!,
  fmriSessions: async ({ id }, _, { loaders }) =>
    (await loaders.sessionsOfRun.load(id)).map((row) => row.session),
  baseModel: ({ baseModelId }, _, { loaders }) => loaders.Model.load(baseModelId),
  trainingStimuli: async ({ id }, _, { loaders }) => names(await loaders.stimuliOfRun.load(id), false),
  heldOutStimuli: async ({ id }, _, { loaders }) => names(await loaders.stimuliOfRun.load(id), true),
  points: ({ id }, filter, { services }) => listTrainingPoints(services, id, filter),
  metrics: ({ metrics }) => (metrics ?? []) as unknown as TrainingMetric[],
  error: ({ errorCode, errorMessage, errorField, errorStage, errorStep }) =>
    errorMessage === null
      ? null
      : {
          code: (errorCode ?? 'UNAVAILABLE') as ErrorCode,
          message: errorMessage,
          field: errorField,
          stage: errorStage,
          step: errorStep,
        },
  attempts: ({ id }, _, { loaders }) => loaders.attemptsOfRun.load(id),
  model: ({ modelId }, _, { loaders }) => (modelId ? loaders.Model.load(modelId) : null),
};
