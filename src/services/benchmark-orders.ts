// What a benchmark is asked for, checked, and its pairing: which picture is painted by which signal. No I/O.

import { createHash } from 'node:crypto';
import type { BenchmarkPairing, PaintMethod } from '../generated/prisma/client.js';
import { FULL_SHARE, MASK_PROBABILITIES, type MaskMode } from '../imaging/mask-sampler.js';
import type { MaskPreset } from '../imaging/mask-shapes.js';
import { createRng } from '../random.js';
import { bad, MAX_BATCH, type PaintJobOrder } from './paint-job-orders.js';

export interface BenchmarkArmOrder {
  readonly name: string;
  readonly method: PaintMethod;
  readonly modelId: string;
  /** The model's defaults if absent. */
  readonly steps?: number | undefined;
  readonly guidanceScale?: number | undefined;
}

/** How masks are drawn by chance, one for each image: by the paper's three modes. */
export interface SampledMasks {
  readonly probabilities: Readonly<Record<MaskMode, number>>;
  /** Of the random ones, how many cover the whole picture. */
  readonly fullShare: number;
  readonly seed: number;
}

type Given<T> = { readonly [K in keyof T]?: T[K] | null | undefined };

/** What is left out takes the paper's probabilities, and our share of whole pictures. */
export function toSampledMasks({
  fullShare,
  seed,
  ...given
}: Given<SampledMasks['probabilities'] & Omit<SampledMasks, 'probabilities'>>): SampledMasks {
  const share = (mode: MaskMode) => given[mode] ?? MASK_PROBABILITIES[mode];
  const probabilities = { inpaint: share('inpaint'), outpaint: share('outpaint'), random: share('random') };
  return { probabilities, fullShare: fullShare ?? FULL_SHARE, seed: seed ?? 0 };
}

/** One mask for each image in its order, one shape for all, or masks drawn by chance. */
export type MaskPolicy =
  | { readonly maskIds: readonly string[]; readonly preset?: undefined; readonly sampled?: undefined }
  | { readonly preset: MaskPreset; readonly maskIds?: undefined; readonly sampled?: undefined }
  | { readonly sampled: SampledMasks; readonly maskIds?: undefined; readonly preset?: undefined };

export interface BenchmarkOrder {
  readonly name: string;
  readonly imageIds: readonly string[];
  /** Each signal is the mean of 1 to 100 trials. */
  readonly signals: readonly (readonly string[])[];
  /** RANDOM: each image gets one signal of its own by the seed; CROSSED: every image under every signal. */
  readonly pairing: BenchmarkPairing;
  readonly seed: number;
  readonly masks: MaskPolicy;
  readonly arms: readonly BenchmarkArmOrder[];
}

export interface PairedItem {
  /** Index into imageIds. */
  readonly image: number;
  /** Index into signals. */
  readonly signal: number;
}

function checkSampled({ probabilities, fullShare, seed }: SampledMasks): void {
  const shares = Object.values(probabilities);
  if (!shares.every((share) => share >= 0 && share <= 1))
    bad('maskPolicy', 'inpaint, outpaint and random must each be from 0 to 1');
  const sum = shares.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) > 1e-6)
    bad('maskPolicy', `inpaint, outpaint and random must add up to 1, not ${sum}`);
  if (!(fullShare >= 0 && fullShare <= 1)) bad('maskPolicy', 'fullShare must be from 0 to 1');
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    bad('maskPolicy', `its seed must be a whole number from 0 to 4294967295, it is ${seed}`);
}

/** Throws AppError BAD_INPUT on the first field that cannot be. */
export function checkBenchmark(order: BenchmarkOrder): void {
  const { imageIds, signals, pairing, seed, masks, arms } = order;
  if (imageIds.length === 0) bad('imageIds', 'give one image or more');
  if (new Set(imageIds).size !== imageIds.length) bad('imageIds', 'each image may be named once');
  if (signals.length === 0) bad('signals', 'give one signal or more');
  if (pairing === 'RANDOM' && imageIds.length !== signals.length)
    bad(
      'signals',
      `a random pairing gives each image a signal of its own: ${imageIds.length} images need ${imageIds.length} signals, not ${signals.length}`,
    );
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    bad('seed', `seed must be a whole number from 0 to 4294967295, it is ${seed}`);
  if (masks.maskIds && masks.maskIds.length !== imageIds.length)
    bad('maskIds', `${imageIds.length} images need ${imageIds.length} masks, not ${masks.maskIds.length}`);
  if (masks.sampled) checkSampled(masks.sampled);
  if (arms.length === 0) bad('arms', 'give one arm or more');
  const names = arms.map((arm) => arm.name.trim());
  if (names.some((name) => name === '' || name.length > 100))
    bad('arms', 'name each arm, in 1 to 100 letters');
  if (new Set(names).size !== names.length) bad('arms', 'two arms have the same name');
  const jobs = (pairing === 'RANDOM' ? imageIds.length : imageIds.length * signals.length) * arms.length;
  if (jobs > MAX_BATCH) bad('arms', `this is ${jobs} jobs; a benchmark has at most ${MAX_BATCH}`);
}

/** The items in their order, by the seed alone. */
export function pairItems({ imageIds, signals, pairing, seed }: BenchmarkOrder): PairedItem[] {
  const all = signals.map((_, signal) => signal);
  if (pairing === 'CROSSED') return imageIds.flatMap((_, image) => all.map((signal) => ({ image, signal })));
  const shuffled = createRng(seed).shuffle(all);
  return imageIds.map((_, image) => ({ image, signal: shuffled[image]! }));
}

/** The jobs of all items and arms, the arms of an item one after another, with the same noise for each. */
export function benchmarkJobs(
  order: BenchmarkOrder,
  items: readonly PairedItem[],
  maskIds: readonly string[],
): PaintJobOrder[] {
  return items.flatMap(({ image, signal }, position) =>
    order.arms.map(({ method, modelId, steps, guidanceScale }) => ({
      imageId: order.imageIds[image]!,
      maskId: maskIds[image]!,
      trialIds: order.signals[signal]!,
      modelId,
      method,
      steps,
      guidanceScale,
      seed: (order.seed + position) % 2 ** 32,
      paintingCount: 1,
    })),
  );
}

/** sha256 of a value as JSON; its keys must come in one order. */
export function sha256Json(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
