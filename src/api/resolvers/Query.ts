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
import { decodeId, parseId } from '../ids.js';
import { findNode } from '../nodes.js';
import { toEventChoice } from '../paint-job-input.js';
import { readAheadOfJobs } from '../read-ahead.js';

export const Query: QueryResolvers = {
  studies: (_, { deleted, ...args }, { services }) => listStudies(services, deleted ?? false, args),
  study: (_, { id }, context) => findNode(context, id, 'Study'),
  myStudies: (_, __, { services }) => myStudies(services),
  benchmarks: (_, { deleted, ...args }, { services }) => listBenchmarks(services, deleted ?? false, args),
  benchmark: (_, { id }, context) => findNode(context, id, 'Benchmark'),
  // biome-ignore lint/suspicious/noExplicitAny: the union of all rows
  node: (_, { id }, context) => findNode(context, id) as any,
  subjects: (_, { deleted, ...args }, { services }) => listSubjects(services, deleted ?? false, args),
  subjectByLabel: (_, { label }, { services }) => findSubject(services, label),
  sourceImages: (_, { deleted, ...args }, { services }) => listImages(services, deleted ?? false, args),
  models: (_, { deleted, ...args }, { services }) => listModels(services, deleted ?? false, args),
  paintJobs: async (_, { state, batchId, ...args }, context, info) => {
    const batch = batchId == null ? undefined : decodeId('PaintJobBatch', batchId, 'batchId');
    const filter = { state: state ?? undefined, batchId: batch };
    return readAheadOfJobs(context, info, await listPaintJobs(context.services, filter, args));
  },
  paintJobBatch: (_, { id }, context) => findNode(context, id, 'PaintJobBatch'),
  paintJobEvents: (_, { after, first, ...choice }, { services }) =>
    listEvents(services, toEventChoice(choice), parseSequence(after ?? '0'), first ?? 100),
  devices: (_, { first }, { services }) => listDevices(services, first),
  subjectWithdrawalReport: (_, { subjectId }, { services }) => {
    const parsed = parseId(subjectId);
    return parsed?.type === 'Subject' ? reportWithdrawal(services, parsed.key) : null;
  },
  paintJob: (_, { id }, context) => findNode(context, id, 'PaintJob'),
  stimuli: (_, args, { services }) => listStimuli(services, args),
  trainingRuns: (_, { state, ...args }, { services }) => listTrainingRuns(services, state, args),
  trainingRun: (_, { id }, context) => findNode(context, id, 'TrainingRun'),
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
