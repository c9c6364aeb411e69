// A person of the lab.

import type { UserResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const User: UserResolvers = {
  id: ({ id }) => encodeId('User', id),
  active: ({ deactivatedAt }) => deactivatedAt === null,
};
