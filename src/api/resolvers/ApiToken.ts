// A secret by which a program is known as its user.

import type { ApiTokenResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const ApiToken: ApiTokenResolvers = {
  id: ({ id }) => encodeId('ApiToken', id),
  user: async ({ userId }, _, { loaders }) => (await loaders.User.load(userId))!,
};
