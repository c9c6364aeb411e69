// How a job stood after a change.

import type { ErrorCode, PaintJobEventResolvers } from '../../generated/graphql.js';
import { present } from '../batches.js';

export const PaintJobEvent: PaintJobEventResolvers = {
  sequence: ({ sequence }) => String(sequence),
  paintJob: ({ jobId }, _, { loaders }) => present(loaders.PaintJob.load(jobId)),
  error: ({ errorCode, errorMessage }) =>
    errorMessage === null ? null : { code: (errorCode ?? 'UNAVAILABLE') as ErrorCode, message: errorMessage },
};
