// What all types have in common that can be deleted.

import type { User } from '../../generated/prisma/client.js';
import type { ApiContext } from '../context.js';

export const deletedBy = (
  { deletedById }: { readonly deletedById: string | null },
  _: object,
  { loaders }: ApiContext,
): User | null | Promise<User | null> => (deletedById === null ? null : loaders.User.load(deletedById));
