// Which picture a stimulus name is, and of what category.

import type { StimulusResolvers } from '../../generated/graphql.js';
import { encodeId } from '../ids.js';

export const Stimulus: StimulusResolvers = {
  id: ({ id }) => encodeId('Stimulus', id),
  label: ({ name }, _, { loaders }) => loaders.labelOfStimulus.load(name),
  sourceImage: async ({ imageId }, _, { loaders }) => (await loaders.SourceImage.load(imageId))!,
};
