// Who asks.

import type { SignInKind, ViewerResolvers } from '../../generated/graphql.js';

export const Viewer: ViewerResolvers = {
  user: async ({ userId }, _, { services }) =>
    services.store.prisma.user.findUniqueOrThrow({ where: { id: userId! } }),
  role: ({ role }) => role!,
  scopes: ({ scopes }) => [...scopes],
  // Nobody and the platform itself are not shown as viewers.
  signedInBy: ({ kind }) => kind as SignInKind,
};
