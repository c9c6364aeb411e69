// One scanning session.

import type { FmriSessionResolvers } from '../../generated/graphql.js';
import { listTrials } from '../../services/lists.js';
import { present } from '../batches.js';
import { encodeId } from '../ids.js';
import { deletedBy } from './deletable.js';

export const FmriSession: FmriSessionResolvers = {
  id: ({ id }) => encodeId('FmriSession', id),
  deletedBy,
  subject: ({ subjectId }, _, { loaders }) => present(loaders.Subject.load(subjectId)),
  trials: ({ id }, { stimulus, ...args }, { services, pages }) =>
    args.after == null && args.before == null
      ? pages.trialsOfSession(id, stimulus ?? null, args)
      : listTrials(services, { sessionId: id, stimulus }, args),
};
