// One scanning session.

import type { FmriSessionResolvers } from '../../generated/graphql.js';
import { listTrials } from '../../services/lists.js';
import { encodeId } from '../ids.js';
import { deletedBy } from './deletable.js';

export const FmriSession: FmriSessionResolvers = {
  id: ({ id }) => encodeId('FmriSession', id),
  deletedBy,
  subject: async ({ subjectId }, _, { loaders }) => (await loaders.Subject.load(subjectId))!,
  trials: ({ id }, { stimulus, ...args }, { services, pages }) =>
    args.after == null && args.before == null
      ? pages.trialsOfSession(id, stimulus ?? null, args)
      : listTrials(services, { sessionId: id, stimulus }, args),
};
