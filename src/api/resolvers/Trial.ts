// One presentation of a stimulus.

import type { TrialResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const Trial: TrialResolvers = {
  id: ({ id }) => encodeId('Trial', id),
  label: ({ stimulus }, _, { loaders }) => loaders.labelOfStimulus.load(stimulus),
  fmriSession: async ({ sessionId }, _, { loaders }) => (await loaders.FmriSession.load(sessionId))!,
};
