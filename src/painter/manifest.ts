// The bundle's manifest: model_index.json in the diffusers layout, with one block that declares our conventions.

import { z } from 'zod';

/** Components a bundle may have; those of the first line are needed to paint. */
export const COMPONENTS = [
  'unet',
  'vae_encoder',
  'vae_decoder',
  'brain_adapter',
  'mapper',
  'image_encoder',
  'pseudo_brain_generator',
] as const;
export type Component = (typeof COMPONENTS)[number];
export const REQUIRED_COMPONENTS: readonly Component[] = [
  'unet',
  'vae_encoder',
  'vae_decoder',
  'brain_adapter',
];

/** Of a bundle whose `unconditional` is learned: conditionSize float32 numbers, little endian. */
export const UNCOND_VECTOR = 'uncond_vector.bin';

/** A name within the bundle's folder, with / between its parts: it may lead nowhere else. */
const fileName = z
  .string()
  .refine(
    (name) =>
      !/[\\:\0]/.test(name) && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'must name a file within the bundle: parts joined by /, none of them empty, . or ..',
  );

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Everything that the painter may not guess: sizes, orders, and which value means what. */
export const conventionsSchema = z.object({
  formatVersion: z.literal(1),
  name: z.string().min(1),
  imageSizePx: z.int().positive(),
  vaeScaleFactor: z.int().positive(),
  latentChannels: z.int().positive(),
  /** Latents are multiplied by this after encoding and divided by it before decoding. */
  latentScalingFactor: z.number().positive(),
  /** Subtracted from latents before that and added after it; absent: 0. */
  latentShift: z.number().optional(),
  /** Order of the UNet's input channels; Paint by Example has noise, image, mask. */
  unetInputOrder: z.array(z.enum(['noise', 'image', 'mask'])).length(3),
  /** What 1 means in the mask channel that the UNet sees. */
  unetMaskMeaning: z.enum(['keep', 'edit']),
  /** nearest: the cell's first pixel, at its top left (as torch's nearest); any: a cell is edited when one of its pixels is. */
  maskDownscale: z.enum(['nearest', 'any']),
  /** Value of hidden pixels in the masked image, in [-1, 1]. */
  maskedFill: z.number(),
  /** What the image encoder takes its colours by, on values in [0, 1], as CLIP's do; absent: it takes [-1, 1]. */
  imageEncoderColours: z
    .strictObject({
      mean: z.array(z.number()).length(3),
      std: z.array(z.number().positive()).length(3),
    })
    .optional(),
  /** Width of the one token that the UNet takes: the mapper's output, or the brain adapter's where there is no mapper. */
  conditionSize: z.int().positive(),
  /** The condition of the unconditional half of guidance: zeros, or the vector in the file UNCOND_VECTOR. */
  unconditional: z.enum(['zeros', 'learned']),
  voxels: z.int().positive(),
  subject: z.object({ label: z.string(), simulated: z.boolean() }),
  defaults: z.object({
    steps: z.int().min(1).max(1000),
    guidanceScale: z.number().min(0).max(30),
    /** Paintings made for each one that is kept, the one nearest to the signal; absent: 1. */
    candidates: z.int().min(1).max(16).optional(),
  }),
  /** Side of the crop around the mask, as a multiple of the mask's longer side. */
  cropContext: z.number().min(1),
  /** sha256 of every file that a painting depends on; what is beside the components' folders, such as README.md, is not. */
  files: z.record(fileName, sha256),
});
export type Conventions = z.infer<typeof conventionsSchema>;

export const manifestSchema = z.looseObject({
  _class_name: z.string(),
  _diffusers_version: z.string(),
  mindpainter: conventionsSchema,
});

/** A setting of the reference implementation that changes what is painted and that we do not have. */
const unsupported = z.literal(false, 'must be false or absent: this build has no such setting').optional();

export const schedulerSchema = z.looseObject({
  _class_name: z.enum(['DDIMScheduler', 'PNDMScheduler', 'DPMSolverMultistepScheduler']),
  num_train_timesteps: z.int().positive(),
  beta_start: z.number().default(0.0001),
  beta_end: z.number().default(0.02),
  beta_schedule: z.enum(['linear', 'scaled_linear', 'squaredcos_cap_v2']),
  prediction_type: z.enum(['epsilon', 'v_prediction']).default('epsilon'),
  /** Absent: leading, for DPM-Solver linspace, as in the reference implementation. */
  timestep_spacing: z.enum(['leading', 'linspace', 'trailing']).optional(),
  steps_offset: z.int().min(0).default(0),
  set_alpha_to_one: z.boolean().default(true),
  skip_prk_steps: z.literal(true, 'must be true: this build has no Runge-Kutta start').default(true),
  // Of DPM-Solver alone; absent as in the reference implementation.
  algorithm_type: z.literal('dpmsolver++').optional(),
  solver_order: z.literal(2).optional(),
  solver_type: z.literal('midpoint').optional(),
  lower_order_final: z.boolean().optional(),
  final_sigmas_type: z.enum(['zero', 'sigma_min']).optional(),
  /** Levels whose log(alpha / sigma) is below are left out; null: none. */
  lambda_min_clipped: z.number().nullish(),
  euler_at_final: unsupported,
  use_karras_sigmas: unsupported,
  use_lu_lambdas: unsupported,
  thresholding: unsupported,
  clip_sample: unsupported,
  rescale_betas_zero_snr: unsupported,
  trained_betas: z.null('must be null: this build computes the betas').optional(),
});
export type SchedulerConfig = z.infer<typeof schedulerSchema>;
