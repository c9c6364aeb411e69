// Which pixels may be painted.

import type { MaskResolvers, MaskShape } from '../../generated/graphql.js';
import { present } from '../batches.js';
import { encodeId } from '../ids.js';
import { deletedBy } from './deletable.js';

export const Mask: MaskResolvers = {
  id: ({ id }) => encodeId('Mask', id),
  deletedBy,
  sourceImage: ({ imageId }, _, { loaders }) => present(loaders.SourceImage.load(imageId)),
  shape: ({ preset }) => (preset ? ((preset as { shape: string }).shape.toUpperCase() as MaskShape) : null),
  url: ({ id }) => `/files/masks/${id}.png`,
};
