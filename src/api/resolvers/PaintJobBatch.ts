// One submission of paint jobs.

import type { PaintJobBatchResolvers } from '../../generated/graphql.js';
import { listPaintJobs } from '../../services/lists.js';
import { encodeId } from '../ids.js';
import { readAheadOfJobs } from '../read-ahead.js';

export const PaintJobBatch: PaintJobBatchResolvers = {
  id: ({ id }) => encodeId('PaintJobBatch', id),
  stateCounts: ({ id }, _, { loaders }) => loaders.stateCountsOfBatch.load(id),
  paintJobs: async ({ id }, args, context, info) =>
    readAheadOfJobs(context, info, await listPaintJobs(context.services, { batchId: id }, args)),
};
