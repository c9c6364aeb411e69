// The simulated subject's training data: stimuli, their sessions, z-scored betas, and the stimuli's embeddings.

import { zScoreSession } from '../../fmri/normalise.js';
import type { RgbImage } from '../../imaging/types.js';
import { createRng } from '../../random.js';
import { openSession } from '../../runtime/session.js';
import { drawScene, type SceneSpec, sampleScene } from '../../toy/scene.js';
import { createSimulatedSubject, type SimulatedSubject, simulateSessions } from '../../toy/subject.js';
import { type BrainData, createBrainData } from '../../train/brain-data.js';
import { embedPictures } from '../../train/pictures.js';
import { TOY } from './settings.js';

const REPETITIONS = 3;
/** Stimuli of one block of sessions, as in the real data set: 750 trials a session. */
const BLOCK = 750;

export interface SimulatedData extends BrainData {
  readonly specs: readonly SceneSpec[];
}

export function toySubject(): SimulatedSubject {
  return createSimulatedSubject(createRng(TOY.seeds.subject));
}

/** Draws `count` stimuli and scans the subject on each three times; the trials of a stimulus stand together. */
export async function simulateBrainData(
  subject: SimulatedSubject,
  encoderModel: Uint8Array,
  count: number,
  seed: number,
  photographs: readonly RgbImage[],
): Promise<SimulatedData> {
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
  const { embeddingSize } = TOY.imageEncoder;
  const embeddings = new Float32Array(count * embeddingSize);
  for (let i = 0; i < count; i += 256) {
    const images = specs.slice(i, i + 256).map((spec) => drawScene(spec, TOY.imageSizePx, photographs));
    embeddings.set(await embedPictures(encoder, images.length, (k) => images[k]!), i * embeddingSize);
  }
  await encoder.close();
  const stimulusOfTrial = Int32Array.from({ length: count * REPETITIONS }, (_, t) =>
    Math.floor(t / REPETITIONS),
  );
  return { specs, ...createBrainData({ voxels, embeddingSize, betas, stimulusOfTrial, embeddings }) };
}
