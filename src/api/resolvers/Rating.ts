// What one rater thinks of one painting.

import type { RatingResolvers } from '../../generated/graphql.js';
import { present } from '../batches.js';
import { encodeId } from '../ids.js';

export const Rating: RatingResolvers = {
  id: ({ id }) => encodeId('Rating', id),
  rater: async ({ raterId }, _, { loaders }) => (await loaders.User.load(raterId))!.name,
  painting: ({ paintingId }, _, { loaders }) => present(loaders.Painting.load(paintingId)),
};
