// A picture that can be painted on.

import type { SourceImageResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';
import { deletedBy } from './deletable.js';

export const SourceImage: SourceImageResolvers = {
  id: ({ id }) => encodeId('SourceImage', id),
  deletedBy,
  widthPx: ({ width }) => width,
  heightPx: ({ height }) => height,
  url: ({ id }) => `/files/source-images/${id}.png`,
  thumbnailUrl: ({ id }) => `/files/source-images/${id}.webp`,
};
