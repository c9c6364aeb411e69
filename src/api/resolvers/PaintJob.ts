// One order of paintings.

import type { ErrorCode, PaintJobResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const PaintJob: PaintJobResolvers = {
  id: ({ id }) => encodeId('PaintJob', id),
  seed: ({ seed }) => Number(seed),
  sourceImage: async ({ imageId }, _, { loaders }) => (await loaders.SourceImage.load(imageId))!,
  mask: async ({ maskId }, _, { loaders }) => (await loaders.Mask.load(maskId))!,
  model: async ({ modelId }, _, { loaders }) => (await loaders.Model.load(modelId))!,
  trials: async ({ id }, _, { loaders }) =>
    (await loaders.trialsOfJob.load(id)).filter((row) => !row.shuffled).map((row) => row.trial),
  shuffledTrials: async ({ id }, _, { loaders }) =>
    (await loaders.trialsOfJob.load(id)).filter((row) => row.shuffled).map((row) => row.trial),
  paintings: ({ id }, _, { loaders }) => loaders.paintingsOfJob.load(id),
  attempts: ({ id }, _, { loaders }) => loaders.attemptsOfJob.load(id),
  batch: ({ batchId }, _, { loaders }) => (batchId ? loaders.PaintJobBatch.load(batchId) : null),
  retriedFrom: ({ retriedFromId }, _, { loaders }) =>
    retriedFromId ? loaders.PaintJob.load(retriedFromId) : null,
  retries: ({ id }, _, { loaders }) => loaders.retriesOfJob.load(id),
  estimate: ({ id, finishedAt }, _, { loaders }) => (finishedAt ? null : loaders.estimateOfJob.load(id)),
  previewUrl: async ({ id, finishedAt }, _, { loaders }) => {
    const preview = finishedAt ? null : await loaders.previewOfJob.load(id);
    // The number makes each preview an address of its own, for pages that show it.
    return preview && `/files/previews/${id}.webp?step=${preview.stepsDone}`;
  },
  error: ({ errorCode, errorMessage }) =>
    errorMessage === null
      ? null
      : { code: (errorCode ?? 'UNAVAILABLE') as ErrorCode, message: errorMessage, field: null },
};
