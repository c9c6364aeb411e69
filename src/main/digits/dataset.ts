// The digits69 file (van Gerven et al. 2010) as pictures, trials and splits. One person saw 100 handwritten sixes and
// nines once each; 2,000 more digits come without fMRI and without labels.

import { AppError } from '../../errors.js';
import { type MatNumeric, matNumeric, readMat } from '../../fmri/mat.js';
import type { RgbImage } from '../../imaging/types.js';
import { createRng, type Rng } from '../../random.js';
import { DIGITS } from './settings.js';

const FIELD = 'file';
/** Side of the file's pictures; ours have a black border around them. */
const STORED_SIDE = 28;
const SIDE = DIGITS.imageSizePx;
const BORDER = (SIDE - STORED_SIDE) / 2;

export interface DigitsData {
  /** Raw betas, row-major [trials, voxels]. */
  readonly betas: Float32Array;
  readonly voxels: number;
  /** What each trial showed. */
  readonly stimuli: readonly RgbImage[];
  /** 0 for a six, 1 for a nine; for splits and for scoring, never for training the painter. */
  readonly labels: readonly number[];
  /** Digits without fMRI in three parts that share none: the painter's, the judge's, and sources to paint on. */
  readonly painterDigits: readonly RgbImage[];
  readonly judgeDigits: readonly RgbImage[];
  readonly sourceDigits: readonly RgbImage[];
}

/** Rows of [count, 784] as grey pictures; the file keeps each picture column by column, and so each matrix. */
function pictures({ name, shape, data }: MatNumeric): RgbImage[] {
  const [count, pixels] = shape as [number, number];
  if (shape.length !== 2 || pixels !== STORED_SIDE ** 2)
    throw new AppError(
      'BAD_INPUT',
      `${name} has shape ${shape.join(' x ')}; n x ${STORED_SIDE ** 2} is needed`,
      {
        field: FIELD,
      },
    );
  return Array.from({ length: count }, (_, row) => {
    const image = new Uint8Array(SIDE * SIDE * 3);
    for (let k = 0; k < pixels; k++) {
      const [y, x] = [(k % STORED_SIDE) + BORDER, Math.floor(k / STORED_SIDE) + BORDER];
      image.fill(data[k * count + row]!, (y * SIDE + x) * 3, (y * SIDE + x) * 3 + 3);
    }
    return { width: SIDE, height: SIDE, data: image };
  });
}

/** Reads the file. Throws AppError on field 'file' for another layout. */
export function readDigits(file: Uint8Array): DigitsData {
  const variables = readMat(file, FIELD);
  const variable = (name: string) => matNumeric(variables, name, FIELD);
  const [signals, labelled] = [variable('Y'), variable('stimulus_label')];
  const stimuli = pictures(variable('X'));
  const [trials, voxels] = signals.shape as [number, number];
  const fail = (message: string) => new AppError('BAD_INPUT', message, { field: FIELD });
  if (trials !== stimuli.length || labelled.data.length !== trials)
    throw fail(`Y has ${trials} trials, X ${stimuli.length}, stimulus_label ${labelled.data.length}`);
  if (!signals.data.every(Number.isFinite)) throw fail('Y holds values that are no finite numbers');
  if (!labelled.data.every((label) => label === 1 || label === 2))
    throw fail('stimulus_label must be 1 for six and 2 for nine');
  const { judgeDigits, sourceDigits, seed } = DIGITS;
  const extra = createRng(seed).shuffle(pictures(variable('X_prior')));
  if (extra.length < 2 * (judgeDigits + sourceDigits))
    throw fail(`X_prior has ${extra.length} digits; ${2 * (judgeDigits + sourceDigits)} are needed`);
  const betas = Float32Array.from(
    { length: trials * voxels },
    (_, i) => signals.data[(i % voxels) * trials + Math.floor(i / voxels)]!,
  );
  return {
    betas,
    voxels,
    stimuli,
    labels: Array.from(labelled.data, (label) => label - 1),
    judgeDigits: extra.slice(0, judgeDigits),
    sourceDigits: extra.slice(judgeDigits, judgeDigits + sourceDigits),
    painterDigits: extra.slice(judgeDigits + sourceDigits),
  };
}

/** A digit moved by up to `reach` pixels either way: more pictures out of few. */
export function jitter(rng: Rng, image: RgbImage, reach: number): RgbImage {
  const [dx, dy] = [rng.int(2 * reach + 1) - reach, rng.int(2 * reach + 1) - reach];
  const data = new Uint8Array(image.data.length);
  for (let y = Math.max(0, dy); y < Math.min(SIDE, SIDE + dy); y++) {
    const width = SIDE - Math.abs(dx);
    const from = ((y - dy) * SIDE + Math.max(0, -dx)) * 3;
    data.set(image.data.subarray(from, from + width * 3), (y * SIDE + Math.max(0, dx)) * 3);
  }
  return { ...image, data };
}
