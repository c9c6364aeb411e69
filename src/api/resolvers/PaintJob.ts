// One order of paintings.

import type { ErrorCode, PaintJobResolvers } from '../../generated/graphql.js';
import { present, whenRead } from '../batches.js';
import { encodeId } from '../ids.js';

export const PaintJob: PaintJobResolvers = {
  id: ({ id }) => encodeId('PaintJob', id),
  seed: ({ seed }) => Number(seed),
  sourceImage: ({ imageId }, _, { loaders }) => present(loaders.SourceImage.load(imageId)),
  mask: ({ maskId }, _, { loaders }) => present(loaders.Mask.load(maskId)),
  model: ({ modelId }, _, { loaders }) => present(loaders.Model.load(modelId)),
  trials: ({ id }, _, { loaders }) =>
    whenRead(loaders.trialsOfJob.load(id), (trials) => trials.filter(({ shuffled }) => !shuffled)),
  shuffledTrials: ({ id }, _, { loaders }) =>
    whenRead(loaders.trialsOfJob.load(id), (trials) => trials.filter(({ shuffled }) => shuffled)),
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
