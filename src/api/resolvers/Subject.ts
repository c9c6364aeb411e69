// A person who was scanned.

import type { SubjectResolvers } from '../../generated/graphql.js';
import { listSessions } from '../../services/lists.js';
import { encodeId } from '../ids.js';
import { deletedBy } from './deletable.js';

export const Subject: SubjectResolvers = {
  id: ({ id }) => encodeId('Subject', id),
  deletedBy,
  fmriSessions: ({ id }, { deleted, ...args }, { services, pages }) =>
    args.after == null && args.before == null && !deleted
      ? pages.sessionsOfSubject(id, null, args)
      : listSessions(services, id, deleted ?? false, args),
};
