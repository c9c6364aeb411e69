// One presentation of a stimulus.

import type { TrialResolvers } from '../../generated/graphql.js';
import { present } from '../batches.js';
import { encodeId } from '../ids.js';

export const Trial: TrialResolvers = {
  id: ({ id }) => encodeId('Trial', id),
  label: ({ stimulus }, _, { loaders }) => loaders.labelOfStimulus.load(stimulus),
  fmriSession: ({ sessionId }, _, { loaders }) => present(loaders.FmriSession.load(sessionId)),
};
