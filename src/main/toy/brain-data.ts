// The simulated subject's training data: stimuli, their sessions, z-scored betas, and the stimuli's embeddings.

import { meanOfRows, zScoreSession } from '../../fmri/normalise.js';
import { writeRegion } from '../../imaging/tensor.js';
import type { RgbImage } from '../../imaging/types.js';
import { floats, openSession, type Session } from '../../runtime/session.js';
import { drawScene, type SceneSpec, sampleScene } from '../../toy/scene.js';
import { createSimulatedSubject, type SimulatedSubject, simulateSessions } from '../../toy/subject.js';
import { createRng } from '../../train/rng.js';
import { TOY } from './settings.js';

const REPETITIONS = 3;
/** Stimuli of one block of sessions, as in the real data set: 750 trials a session. */
const BLOCK = 750;

export interface BrainData {
  readonly specs: readonly SceneSpec[];
  /** Z of each stimulus, [stimuli, 1024]. */
  readonly embeddings: Float32Array;
  /** z-scored betas, [stimuli * repetitions, voxels], the repetitions of a stimulus together. */
  readonly betas: Float32Array;
  readonly repetitions: number;
}

export function toySubject(): SimulatedSubject {
  return createSimulatedSubject(createRng(TOY.seeds.subject));
}

/** Runs a network of one input and one output over rows, a batch at a time. */
export async function mapRows(
  session: Session,
  rows: Float32Array,
  shape: readonly number[],
  batch = 64,
): Promise<Float32Array> {
  const size = shape.reduce((a, d) => a * d, 1);
  const count = rows.length / size;
  const parts: Float32Array[] = [];
  for (let i = 0; i < count; i += batch) {
    const n = Math.min(batch, count - i);
    const feeds = {
      [session.inputs[0]!.name]: floats(rows.subarray(i * size, (i + n) * size), [n, ...shape]),
    };
    const result = await session.run(feeds);
    parts.push(result[session.outputs[0]!.name]!.data as Float32Array);
  }
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Embeddings of whole pictures, as a stimulus is embedded. */
export async function embedPictures(encoder: Session, images: readonly RgbImage[]): Promise<Float32Array> {
  const side = TOY.regionSizePx;
  const pixels = new Float32Array(images.length * 3 * side * side);
  images.forEach((image, i) => {
    const box = { x0: 0, y0: 0, x1: image.width, y1: image.height };
    writeRegion(pixels, i * 3 * side * side, image, undefined, box, side);
  });
  return mapRows(encoder, pixels, [3, side, side]);
}

/** Draws `count` stimuli (photographs cost nothing here: backgrounds are drawn) and scans the subject on them. */
export async function simulateBrainData(
  subject: SimulatedSubject,
  encoderModel: Uint8Array,
  count: number,
  seed: number,
  photographs: readonly RgbImage[],
): Promise<BrainData> {
  const rng = createRng(seed);
  const specs = Array.from({ length: count }, () => sampleScene(rng, { photographs }));
  const { voxels } = subject.settings;
  const betas = new Float32Array(count * REPETITIONS * voxels);
  for (let start = 0; start < count; start += BLOCK) {
    for (const session of simulateSessions(subject, specs.slice(start, start + BLOCK), REPETITIONS, rng)) {
      const { data } = zScoreSession(session.betas, voxels);
      session.trials.forEach(({ stimulus, repetition }, row) => {
        const at = ((start + stimulus) * REPETITIONS + repetition - 1) * voxels;
        betas.set(data.subarray(row * voxels, (row + 1) * voxels), at);
      });
    }
  }
  const encoder = await openSession(encoderModel);
  const embeddings = new Float32Array(count * TOY.imageEncoder.embeddingSize);
  for (let i = 0; i < count; i += 256) {
    const images = specs.slice(i, i + 256).map((spec) => drawScene(spec, TOY.imageSizePx, photographs));
    embeddings.set(await embedPictures(encoder, images), i * TOY.imageEncoder.embeddingSize);
  }
  await encoder.close();
  return { specs, embeddings, betas, repetitions: REPETITIONS };
}

/** The mean over the chosen repetitions of one stimulus: [voxels]. */
export function signalOf(
  data: BrainData,
  stimulus: number,
  repetitions: readonly number[],
  voxels: number,
): Float32Array {
  return meanOfRows(
    data.betas,
    voxels,
    repetitions.map((r) => stimulus * data.repetitions + r),
  );
}
