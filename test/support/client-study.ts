// What a study needs of a client's lab: small pictures of noise, a session with a trial a stimulus, and answers to screens.

import { writeNpy } from '../../src/fmri/npy.js';
import { encodePng } from '../../src/imaging/decode.js';
import { createRng } from '../../src/random.js';
import type { MindPainter, RaterScreen } from '../../src/sdk/client.js';
import { noise } from './study-lab.js';
import { TINY } from './tiny-bundle.js';

export interface StudySupplies {
  readonly imageIds: string[];
  readonly trialIds: string[];
  readonly modelId: string;
}

/** Uploads `count` pictures, and one session of subject 01 with as many trials, of the stimuli s0, s1, ... */
export async function uploadSupplies(mp: MindPainter, count: number): Promise<StudySupplies> {
  const imageIds: string[] = [];
  for (let i = 0; i < count; i++) imageIds.push((await mp.images.upload(await encodePng(noise(100 + i)))).id);
  const { id: subjectId } = await mp.subjects.create('01', { simulated: true });
  const rng = createRng(1);
  const betas = Float32Array.from({ length: count * TINY.voxels }, () => rng.normal());
  const stimuli = Array.from({ length: count }, (_, i) => `s${i}`);
  const { id: sessionId } = await mp.subjects.importSession({
    subjectId,
    label: 'study',
    betas: writeNpy(betas, [count, TINY.voxels]),
    trials: Buffer.from(['stimulus', ...stimuli].join('\n')),
  });
  const trialIds: string[] = [];
  for await (const { id } of mp.subjects.trials({ sessionId })) trialIds.push(id);
  const { value: model } = await mp.models.list().next();
  return { imageIds, trialIds, modelId: model!.id };
}

/** Answers to a screen: 3 to the left and 1 to the right, or what is instructed. */
export function answersTo({ instruction, pictures, criteria }: RaterScreen) {
  const told = /answer (\d)/.exec(instruction ?? '');
  if (told) return [{ value: Number(told[1]) }];
  return pictures
    .filter(({ role }) => role === 'CANDIDATE')
    .flatMap(({ id, side }) =>
      criteria.map(({ name }) => ({ pictureId: id, criterion: name, value: side === 0 ? 3 : 1 })),
    );
}
