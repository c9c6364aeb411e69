// How a job stood after a change.

import type { ErrorCode, PaintJobEventResolvers } from '../../generated/graphql.js';

export const PaintJobEvent: PaintJobEventResolvers = {
  sequence: ({ sequence }) => String(sequence),
  paintJob: async ({ jobId }, _, { loaders }) => (await loaders.PaintJob.load(jobId))!,
  error: ({ errorCode, errorMessage }) =>
    errorMessage === null ? null : { code: (errorCode ?? 'UNAVAILABLE') as ErrorCode, message: errorMessage },
};
