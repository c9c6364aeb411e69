// A personal link of one rater.

import type { RaterLinkResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const RaterLink: RaterLinkResolvers = {
  id: ({ id }) => encodeId('RaterLink', id),
  rater: async ({ userId }, _, { loaders }) => (await loaders.User.load(userId))!,
};
