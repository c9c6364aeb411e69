// What the study's demo needs of a lab, sent through the API: pictures to paint on, scans of a simulated subject, masks.

import { writeNpy } from '../../fmri/npy.js';
import { encodePng } from '../../imaging/decode.js';
import { createRng } from '../../random.js';
import { drawPhotographSizeScene } from '../../toy/photograph-scene.js';
import { sampleScene } from '../../toy/scene.js';
import { simulateSessions } from '../../toy/subject.js';
import { toySubject } from '../toy/brain-data.js';
import { TOY } from '../toy/settings.js';
import type { Client } from './client.js';

const ERRORS = 'userErrors { code message field }';
const PLACES = ['meadow', 'seaside', 'room'] as const;

export interface StudyLab {
  readonly imageIds: readonly string[];
  /** The trials of each stimulus. */
  readonly signals: readonly (readonly string[])[];
  readonly modelId: string;
}

/** Uploads `count` drawn pictures, each another one. */
async function uploadPictures(client: Client, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = await encodePng(drawPhotographSizeScene(createRng(7000 + i), 384, 256, PLACES[i % 3]!));
    const { uploadSourceImage } = await client.send<{ uploadSourceImage: { sourceImage: { id: string } } }>(
      `mutation($input: UploadSourceImageInput!) { uploadSourceImage(input: $input) { sourceImage { id } ${ERRORS} } }`,
      { input: { file: null } },
      { 'input.file': { name: `${i}.png`, type: 'image/png', bytes } },
    );
    ids.push(uploadSourceImage.sourceImage.id);
  }
  return ids;
}

/** Scans the simulated subject `repetitions` times with `count` stimuli that no network was trained on. */
async function uploadScans(client: Client, count: number, repetitions: number): Promise<string[][]> {
  const rng = createRng(TOY.seeds.test + 50);
  const stimuli = Array.from({ length: count }, () => sampleScene(rng));
  const { createSubject } = await client.send<{ createSubject: { subject: { id: string } } }>(
    `mutation($input: CreateSubjectInput!) { createSubject(input: $input) { subject { id } ${ERRORS} } }`,
    { input: { label: '01', simulated: true } },
  );
  const trialsOf = stimuli.map((): string[] => []);
  for (const session of simulateSessions(
    toySubject(),
    stimuli,
    repetitions,
    createRng(TOY.seeds.test + 51),
  )) {
    const table = ['stimulus,repetition', ...session.trials.map((t) => `${t.stimulus},${t.repetition}`)].join(
      '\n',
    );
    const { importFmriSession } = await client.send<{
      importFmriSession: { fmriSession: { trials: { nodes: { id: string; stimulus: string }[] } } };
    }>(
      `mutation($input: ImportFmriSessionInput!) { importFmriSession(input: $input) {
        fmriSession { trials(first: 100) { nodes { id stimulus } } } ${ERRORS} } }`,
      {
        input: {
          subjectId: createSubject.subject.id,
          label: `study${session.label}`,
          betas: null,
          trials: null,
        },
      },
      {
        'input.betas': {
          name: 'betas.npy',
          type: 'application/octet-stream',
          bytes: writeNpy(session.betas, [session.trials.length, TOY.voxels]),
        },
        'input.trials': { name: 'trials.csv', type: 'text/csv', bytes: Buffer.from(table) },
      },
    );
    for (const { id, stimulus } of importFmriSession.fmriSession.trials.nodes)
      trialsOf[Number(stimulus)]!.push(id);
  }
  return trialsOf;
}

/** A lab with as many pictures as signals (at most 100), and the model that the server has. */
export async function uploadStudyLab(client: Client, count: number): Promise<StudyLab> {
  const imageIds = await uploadPictures(client, count);
  const signals = await uploadScans(client, count, 3);
  const { models } = await client.send<{ models: { nodes: { id: string }[] } }>(
    '{ models(first: 1) { nodes { id } } }',
  );
  const [model] = models.nodes;
  if (!model) throw new Error('no model is registered; train one with npm run train:toy');
  return { imageIds, signals, modelId: model.id };
}
