// What can be read from the root.

import type { QueryResolvers } from '../../generated/graphql.js';
import { listBenchmarks } from '../../services/benchmarks.js';
import {
  findSubject,
  listDevices,
  listImages,
  listModels,
  listPaintJobs,
  listStimuli,
  listSubjects,
  listTrainingRuns,
} from '../../services/lists.js';
import { listEvents, parseSequence } from '../../services/paint-job-watch.js';
import { listApiTokens, listAuditEvents, listRaterLinks, listUsers } from '../../services/people-lists.js';
import { listStudies } from '../../services/studies.js';
import { myStudies } from '../../services/study-screens.js';
import { listWebhookEndpoints } from '../../services/webhooks.js';
import { reportWithdrawal } from '../../services/withdrawals.js';
import type { ApiContext } from '../context.js';
import { decodeId, parseId } from '../ids.js';
import { toEventChoice } from '../paint-job-input.js';

/** The row of an id with the name of its type, which the interface Node is resolved by. */
async function loadNode(id: string, { loaders }: ApiContext) {
  const parsed = parseId(id);
  if (!parsed) return null;
  const row = await loaders[parsed.type].load(parsed.key);
  return row && { ...row, __typename: parsed.type };
}

export const Query: QueryResolvers = {
  studies: (_, args, { services }) => listStudies(services, args),
  study: async (_, { id }, { loaders }) => {
    const parsed = parseId(id);
    return parsed?.type === 'Study' ? loaders.Study.load(parsed.key) : null;
  },
  myStudies: (_, __, { services }) => myStudies(services),
  benchmarks: (_, args, { services }) => listBenchmarks(services, args),
  benchmark: async (_, { id }, { loaders }) => {
    const parsed = parseId(id);
    return parsed?.type === 'Benchmark' ? loaders.Benchmark.load(parsed.key) : null;
  },
  // biome-ignore lint/suspicious/noExplicitAny: the union of all rows
  node: (_, { id }, context) => loadNode(id, context) as any,
  subjects: (_, args, { services }) => listSubjects(services, args),
  subjectByLabel: (_, { label }, { services }) => findSubject(services, label),
  sourceImages: (_, args, { services }) => listImages(services, args),
  models: (_, args, { services }) => listModels(services, args),
  paintJobs: (_, { state, batchId, ...args }, { services }) => {
    const batch = batchId == null ? undefined : decodeId('PaintJobBatch', batchId, 'batchId');
    return listPaintJobs(services, { state: state ?? undefined, batchId: batch }, args);
  },
  paintJobBatch: async (_, { id }, { loaders }) => {
    const parsed = parseId(id);
    return parsed?.type === 'PaintJobBatch' ? loaders.PaintJobBatch.load(parsed.key) : null;
  },
  paintJobEvents: (_, { after, first, ...choice }, { services }) =>
    listEvents(services, toEventChoice(choice), parseSequence(after ?? '0'), first ?? 100),
  devices: (_, { first }, { services }) => listDevices(services, first),
  subjectWithdrawalReport: (_, { subjectId }, { services }) => {
    const parsed = parseId(subjectId);
    return parsed?.type === 'Subject' ? reportWithdrawal(services, parsed.key) : null;
  },
  paintJob: async (_, { id }, { loaders }) => {
    const parsed = parseId(id);
    return parsed?.type === 'PaintJob' ? loaders.PaintJob.load(parsed.key) : null;
  },
  stimuli: (_, args, { services }) => listStimuli(services, args),
  trainingRuns: (_, { state, ...args }, { services }) => listTrainingRuns(services, state, args),
  trainingRun: async (_, { id }, { loaders }) => {
    const parsed = parseId(id);
    return parsed?.type === 'TrainingRun' ? loaders.TrainingRun.load(parsed.key) : null;
  },
  viewer: (_, __, { viewer }) => (viewer.userId === null ? null : viewer),
  users: (_, args, { services }) => listUsers(services, args),
  apiTokens: (_, args, { services }) => listApiTokens(services, args),
  webhookEndpoints: (_, args, { services }) => listWebhookEndpoints(services, args),
  raterLinks: (_, args, { services }) => listRaterLinks(services, args),
  auditEvents: (_, { entityId, userId, action, ...args }, { services }) =>
    listAuditEvents(
      services,
      {
        // An id that is none of ours has no events.
        ...(entityId == null ? {} : { entityId: entityId.slice(entityId.indexOf('_') + 1) }),
        ...(userId == null ? {} : { userId: decodeId('User', userId, 'userId') }),
        ...(action == null ? {} : { action }),
      },
      args,
    ),
};
