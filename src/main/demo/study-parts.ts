// What the study's demo needs of a lab, sent through the SDK: pictures to paint on, scans of a simulated subject, a model.

import { encodePng } from '../../imaging/decode.js';
import { createRng } from '../../random.js';
import type { MindPainter } from '../../sdk/client.js';
import { drawPhotographSizeScene, PLACES } from '../../toy/photograph-scene.js';
import { drawScene, sampleScene } from '../../toy/scene.js';
import { TOY } from '../toy/settings.js';
import { uploadSimulatedScans } from './scans.js';

export interface StudyLab {
  readonly imageIds: readonly string[];
  /** The trials of each stimulus. */
  readonly signals: readonly (readonly string[])[];
  readonly modelId: string;
}

/** A lab with as many pictures as signals, each linked to what was seen, and the model that the server has; no network was trained on the stimuli. */
export async function uploadStudyLab(mp: MindPainter, count: number): Promise<StudyLab> {
  const imageIds: string[] = [];
  for (let i = 0; i < count; i++) {
    const picture = drawPhotographSizeScene(createRng(7000 + i), 384, 256, PLACES[i % PLACES.length]!);
    imageIds.push((await mp.images.upload(await encodePng(picture))).id);
  }
  const rng = createRng(TOY.seeds.test + 50);
  const stimuli = Array.from({ length: count }, (_, i) => {
    const spec = sampleScene(rng);
    const { kind, colour } = spec.objects[0]!;
    return { name: `${i + 1} ${colour} ${kind}`, spec };
  });
  const plan = { prefix: 'study', repetitions: 3, seed: TOY.seeds.test + 51 };
  const trialsOf = await uploadSimulatedScans(mp, stimuli, plan);
  const links = [];
  for (const { name, spec } of stimuli) {
    const seen = await mp.images.upload(await encodePng(drawScene(spec, TOY.imageSizePx)));
    links.push({ name, imageId: seen.id });
  }
  await mp.subjects.linkStimuli(links);
  const { value: model } = await mp.models.list().next();
  if (!model) throw new Error('no model is registered; train one with npm run train:toy');
  return { imageIds, signals: stimuli.map(({ name }) => trialsOf.get(name)!), modelId: model.id };
}
