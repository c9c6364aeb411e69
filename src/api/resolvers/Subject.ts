// A person who was scanned.

import type { SubjectResolvers } from '../../generated/graphql.js';
import { listSessions } from '../../services/lists.js';
import { encodeId } from '../ids.js';

export const Subject: SubjectResolvers = {
  id: ({ id }) => encodeId('Subject', id),
  fmriSessions: ({ id }, args, { services, pages }) =>
    args.after == null && args.before == null
      ? pages.sessionsOfSubject(id, null, args)
      : listSessions(services, id, args),
};
