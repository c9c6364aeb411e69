// Hyper-parameters of the API as those of the service: only the name of the prediction differs.

import type { TrainingSettingsInput } from '../generated/graphql.js';
import type { Given, Prediction, TrainingSettings } from '../services/training-settings.js';

export function toTrainingSettings(
  input: TrainingSettingsInput | null | undefined,
): Given<TrainingSettings> | undefined {
  if (!input) return undefined;
  const { diffusion } = input;
  if (!diffusion) return { ...input, diffusion: undefined };
  const predictionType = diffusion.predictionType?.toLowerCase() as Prediction | undefined;
  return { ...input, diffusion: { ...diffusion, predictionType } };
}
