// A bundle that paints by the signals of one subject.

import type { ModelResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const Model: ModelResolvers = {
  id: ({ id }) => encodeId('Model', id),
  trainingRun: async ({ id }, _, { loaders }) => (await loaders.runsOfModel.load(id))[0] ?? null,
};
