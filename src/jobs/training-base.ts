// What a bundle offers as the base of a training run, read from its files; no session is opened.

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Bundle } from '../painter/bundle.js';
import type { Component } from '../painter/manifest.js';
import type { TrainingBaseFacts } from '../services/models.js';
import type { UnetSize } from '../train/models/unet.js';

/** Strict: a size that this version does not know would make another network. */
const unetSchema = z.strictObject({
  widths: z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]),
  embedding: z.int().positive(),
  heads: z.int().positive(),
  latentChannels: z.int().positive(),
  tokens: z.strictObject({ count: z.int().positive(), width: z.int().positive() }).optional(),
});

/** The config.json beside a component's model. */
export async function componentConfig(bundle: Bundle, component: Component): Promise<object> {
  const path = join(dirname(bundle.components[component]!), 'config.json');
  return JSON.parse(await readFile(path, 'utf8'));
}

/** The size of a base's UNet when it is of our architecture and conventions, or why it cannot be trained on. */
export async function trainableUnet(
  bundle: Bundle,
): Promise<{ size: UnetSize; fault?: undefined } | { size?: undefined; fault: string }> {
  const { unetInputOrder, unetMaskMeaning, maskDownscale, maskedFill, latentChannels } = bundle.conventions;
  if (bundle.components.mapper || bundle.uncondVector || bundle.conventions.latentShift)
    return { fault: 'it has a mapper, a learned unconditional vector or shifted latents' };
  if (unetInputOrder.join() !== 'noise,image,mask' || unetMaskMeaning !== 'keep')
    return { fault: 'its inputs are not noise, image and mask with 1 for keep' };
  if (maskDownscale !== 'any' || maskedFill !== 0)
    return { fault: 'its masks do not shrink by the rule any, or hidden pixels are not mid grey' };
  const config = await componentConfig(bundle, 'unet').catch(() => ({}));
  const parsed = unetSchema.safeParse(config);
  if (!parsed.success)
    return {
      fault: 'unet/config.json does not declare the sizes of an architecture that this version knows',
    };
  if (parsed.data.latentChannels !== latentChannels)
    return {
      fault: `unet/config.json names ${parsed.data.latentChannels} latent channels, the manifest ${latentChannels}`,
    };
  const { tokens, ...size } = parsed.data;
  return { size: { ...size, ...(tokens ? { tokens } : {}) } };
}

/** The facts that a run is checked against before it is queued. */
export async function describeTrainingBase(bundle: Bundle): Promise<TrainingBaseFacts> {
  const { imageSizePx, vaeScaleFactor, latentChannels, conditionSize } = bundle.conventions;
  const embeddingSize = bundle.components.mapper ? 0 : conditionSize;
  const cells = (imageSizePx / vaeScaleFactor) ** 2;
  return {
    components: Object.keys(bundle.components),
    embeddingSize,
    // As diffusion-pool.ts keeps it: latents of the picture and of the masked one, the mask, the region's embedding.
    poolSampleBytes: 4 * ((2 * latentChannels + 1) * cells + embeddingSize),
    prediction: bundle.scheduler.prediction_type,
    unetFault: (await trainableUnet(bundle)).fault,
    files: bundle.conventions.files,
  };
}
