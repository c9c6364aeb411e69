// A picture that can be painted on.

import type { SourceImageResolvers } from '../../generated/graphql.js';
import { listMasks } from '../../services/lists.js';
import { encodeId } from '../ids.js';
import { deletedBy } from './deletable.js';

export const SourceImage: SourceImageResolvers = {
  id: ({ id }) => encodeId('SourceImage', id),
  deletedBy,
  masks: ({ id }, { deleted, ...args }, { services, pages }) =>
    args.after == null && args.before == null && !deleted
      ? pages.masksOfImage(id, null, args)
      : listMasks(services, id, deleted ?? false, args),
  widthPx: ({ width }) => width,
  heightPx: ({ height }) => height,
  url: ({ id }) => `/files/source-images/${id}.png`,
  thumbnailUrl: ({ id }) => `/files/source-images/${id}.webp`,
};
