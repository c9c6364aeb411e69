// A finished picture.

import type { PaintingResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const Painting: PaintingResolvers = {
  id: ({ id }) => encodeId('Painting', id),
  job: ({ jobId }, _, { loaders }) => loaders.PaintJob.load(jobId),
  url: ({ id }) => `/files/paintings/${id}.png`,
  thumbnailUrl: ({ id }) => `/files/paintings/${id}.webp`,
  ratings: ({ id }, _, { loaders }) => loaders.ratingsOfPainting.load(id),
};
