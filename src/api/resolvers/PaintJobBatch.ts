// One submission of paint jobs.

import type { PaintJobBatchResolvers } from '../../generated/graphql.js';
import { listPaintJobs } from '../../services/lists.js';
import { encodeId } from '../ids.js';

export const PaintJobBatch: PaintJobBatchResolvers = {
  id: ({ id }) => encodeId('PaintJobBatch', id),
  stateCounts: ({ id }, _, { loaders }) => loaders.stateCountsOfBatch.load(id),
  paintJobs: ({ id }, args, { services }) => listPaintJobs(services, { batchId: id }, args),
};
