// Which picture a stimulus name is.

import type { StimulusResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const Stimulus: StimulusResolvers = {
  id: ({ id }) => encodeId('Stimulus', id),
  sourceImage: async ({ imageId }, _, { loaders }) => (await loaders.SourceImage.load(imageId))!,
};
