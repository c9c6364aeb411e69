// A bundle that paints by the signals of one subject.

import type { ModelResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';
import { deletedBy } from './deletable.js';

export const Model: ModelResolvers = {
  id: ({ id }) => encodeId('Model', id),
  deletedBy,
  trainingRun: async ({ id }, _, { loaders }) => (await loaders.runsOfModel.load(id))[0] ?? null,
};
