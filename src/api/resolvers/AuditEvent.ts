// One write: who, what, when, before, after.

import type { AuditEventResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const AuditEvent: AuditEventResolvers = {
  id: ({ id }) => encodeId('AuditEvent', id),
  user: ({ userId }, _, { loaders }) => (userId === null ? null : loaders.User.load(userId)),
  // The type of a session is none that the API shows, but its id names it all the same.
  entityId: ({ entityType, entityId }) => `${entityType}_${entityId}`,
};
