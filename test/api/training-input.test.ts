// What a training run is refused for, before anything starts: each with its code, its field and nothing stored.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeNpy } from '../../src/fmri/npy.js';
import { describeBundle } from '../../src/main/platform.js';
import { registerModel } from '../../src/services/models.js';
import { PAINT_BY_EXAMPLE, TINY, type TinyOptions, writeTinyBundle } from '../support/tiny-bundle.js';
import {
  linkStimuli,
  SMALL,
  STIMULI,
  sessionFiles,
  startTrainingLab,
  type TrainingLab,
  type UserError,
} from '../support/training-lab.js';

let lab: TrainingLab;
const sessions: Record<string, string> = {};

beforeAll(async () => {
  lab = await startTrainingLab();
  sessions.good = await lab.importSession('01', STIMULI);
  sessions.wide = await lab.importSession('02', STIMULI, { voxels: 50 });
  sessions.unlinked = await lab.importSession('03', ['picture-0', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7']);
  const all = Array.from({ length: TINY.voxels }, (_, v) => v);
  sessions.flat = await lab.importSession('04', STIMULI, { constant: all });
  sessions.few = await lab.importSession('05', ['picture-0', 'picture-1', 'picture-2']);
  await linkStimuli(lab);
}, 90_000);

afterAll(() => lab?.close(), 30_000);

async function model(name: string, options: TinyOptions): Promise<string> {
  const folder = join(lab.lab.folder, name);
  await writeTinyBundle(folder, { ...options, conventions: { name, ...options.conventions } });
  return `Model_${(await registerModel(lab.lab.services, await describeBundle(folder))).id}`;
}

/** Rows and blobs. Temporary upload files are the machine's: tests that run beside this one have theirs. */
async function stored(): Promise<Record<string, number>> {
  const { temporary: _, ...counts } = await lab.lab.census();
  return counts;
}

const stage = SMALL.pseudoBrainGenerator;
const cases: readonly [string, () => object | Promise<object>, string, string, RegExp][] = [
  [
    'stimuli without a picture',
    () => ({ sessionIds: [sessions.good, sessions.unlinked] }),
    'BAD_INPUT',
    'sessionIds',
    /^7 of 15 stimuli have no picture: x1, x2, x3, x4, x5 and 2 more; link them/,
  ],
  [
    'sessions of different voxel counts',
    () => ({ sessionIds: [sessions.good, sessions.wide] }),
    'BAD_INPUT',
    'sessionIds',
    /01: 40, 02: 50/,
  ],
  [
    'a session in which no voxel changes',
    () => ({ sessionIds: [sessions.flat] }),
    'BAD_INPUT',
    'sessionIds',
    /04/,
  ],
  ['no session', () => ({ sessionIds: [] }), 'BAD_INPUT', 'sessionIds', /no session/],
  [
    'too few stimuli to hold out',
    () => ({ sessionIds: [sessions.few] }),
    'BAD_INPUT',
    'heldOutFraction',
    /of 3 stimuli 1 /,
  ],
  ['a held-out share of 1', () => ({ heldOutFraction: 1 }), 'BAD_INPUT', 'heldOutFraction', /under 1/],
  [
    'share and names at once',
    () => ({ heldOutStimuli: ['picture-0'] }),
    'BAD_INPUT',
    'heldOutFraction',
    /either/,
  ],
  [
    'a held-out stimulus that nobody saw',
    () => ({ heldOutFraction: null, heldOutStimuli: ['picture-0', 'nothing'] }),
    'BAD_INPUT',
    'heldOutStimuli',
    /nothing/,
  ],
  [
    'everything held out',
    () => ({ heldOutFraction: null, heldOutStimuli: STIMULI }),
    'BAD_INPUT',
    'heldOutStimuli',
    /of 8 stimuli 8 /,
  ],
  [
    'a batch over the training set',
    () => ({ settings: { ...SMALL, pseudoBrainGenerator: { ...stage, batch: 6 } } }),
    'BAD_INPUT',
    'settings.pseudoBrainGenerator.batch',
    /6 is larger than the training set of 5/,
  ],
  [
    'a batch over the pool',
    () => ({ settings: { ...SMALL, diffusion: { batch: 9, poolSize: 8 } } }),
    'BAD_INPUT',
    'settings.diffusion.batch',
    /pool of 8/,
  ],
  [
    'steps of 0',
    () => ({ settings: { brainAdapter: { steps: 0 } } }),
    'BAD_INPUT',
    'settings.brainAdapter.steps',
    /it is 0/,
  ],
  [
    'a rate of 0',
    () => ({ settings: { diffusion: { learningRate: 0 } } }),
    'BAD_INPUT',
    'settings.diffusion.learningRate',
    /over 0/,
  ],
  [
    'sigmas the wrong way round',
    () => ({ settings: { sigmaLow: 2 } }),
    'BAD_INPUT',
    'settings.sigmaLow',
    /over the highest/,
  ],
  [
    'probabilities that do not sum to 1',
    () => ({ settings: { diffusion: { maskProbabilities: { inpaint: 0.5, outpaint: 0.5, random: 0.5 } } } }),
    'BAD_INPUT',
    'settings.diffusion.maskProbabilities',
    /sum to 1/,
  ],
  [
    'another prediction than the scheduler expects',
    () => ({ settings: { ...SMALL, diffusion: { ...SMALL.diffusion, predictionType: 'V_PREDICTION' } } }),
    'BAD_INPUT',
    'settings.diffusion.predictionType',
    /expects epsilon/,
  ],
  [
    'a base without an image encoder',
    async () => ({ baseModelId: await model('plain', { exemplar: false }) }),
    'UNSUPPORTED',
    'baseModelId',
    /no image encoder/,
  ],
  [
    'a base whose mask means something else',
    async () => ({
      baseModelId: await model('edit', { trainable: true, conventions: { unetMaskMeaning: 'edit' } }),
    }),
    'UNSUPPORTED',
    'baseModelId',
    /1 for keep/,
  ],
  [
    "another subject's adapter kept",
    () => ({ parts: ['PSEUDO_BRAIN_GENERATOR'] }),
    'BAD_INPUT',
    'parts',
    /of subject 01/,
  ],
  [
    "another subject's generator kept",
    () => ({ parts: ['BRAIN_ADAPTER'] }),
    'BAD_INPUT',
    'parts',
    /pseudo brain generator of the base is of subject 01/,
  ],
  [
    'a Paint by Example export whose UNet shall be trained',
    async () => ({ baseModelId: await model('pbe', PAINT_BY_EXAMPLE) }),
    'UNSUPPORTED',
    'baseModelId',
    /mapper/,
  ],
  [
    'a base whose UNet declares no size',
    async () => ({ baseModelId: await model('undeclared', {}) }),
    'UNSUPPORTED',
    'baseModelId',
    /config\.json/,
  ],
  ['nothing to train', () => ({ parts: [] }), 'BAD_INPUT', 'parts', /at least one/],
  ['a name that is none', () => ({ name: '../x' }), 'BAD_INPUT', 'name', /letters/],
  ['an id of another type', () => ({ baseModelId: lab.subjectId }), 'NOT_FOUND', 'baseModelId', /Model/],
];

describe('a run is refused', () => {
  test.each(cases)('%s', async (_, change, code, field, message) => {
    const input = { sessionIds: [sessions.good], ...(await change()) };
    const before = await stored();
    const { errors } = await lab.create(input);
    expect(errors).toEqual([{ code, field, message: expect.stringMatching(message) }]);
    expect(await stored()).toEqual(before);
  });

  test('two names of one picture stand on one side, and naming one of them alone is refused', async () => {
    const stimuli = ['a', 'b', 'c', 'd', 'e'];
    const pictures = [];
    for (let i = 0; i < 4; i++) pictures.push(await lab.uploadPicture(30 + i));
    const link = [...pictures, pictures[3]].map((imageId, i) => ({ name: stimuli[i], imageId }));
    await lab.mutate('linkStimuli', 'LinkStimuliInput', 'stimuli { name }', { stimuli: link });
    const sessionIds = [await lab.importSession('06', stimuli)];
    const torn = await lab.create({ sessionIds, heldOutFraction: null, heldOutStimuli: ['a', 'd'] });
    expect(torn.errors).toMatchObject([
      { field: 'heldOutStimuli', message: expect.stringContaining('e shows') },
    ]);
    const settings = { pseudoBrainGenerator: { batch: 2 }, brainAdapter: { batch: 2 } };
    for (const seed of [0, 1, 2, 3]) {
      const { id, errors } = await lab.create({
        sessionIds,
        heldOutFraction: 0.5,
        settings: { ...settings, seed },
      });
      expect(errors).toEqual([]);
      const { heldOutStimuli, trainingStimuli } = await lab.read(id);
      expect(heldOutStimuli.includes('d')).toBe(heldOutStimuli.includes('e'));
      expect([...heldOutStimuli, ...trainingStimuli].sort()).toEqual(stimuli);
    }
  });
});

describe('links of stimuli', () => {
  const link = async (stimuli: object[], replace = false): Promise<UserError[]> => {
    const payload = await lab.mutate('linkStimuli', 'LinkStimuliInput', 'stimuli { name }', {
      stimuli,
      replace,
    });
    return payload.userErrors as UserError[];
  };

  test('to unknown images, twice, or to another picture are refused; replace allows the last', async () => {
    const [one, two] = [await lab.uploadPicture(50), await lab.uploadPicture(51)];
    const unknown = `SourceImage_${'0'.repeat(8)}-0000-7000-8000-${'0'.repeat(12)}`;
    const before = await stored();
    expect(
      await link([
        { name: 'q1', imageId: one },
        { name: 'q2', imageId: unknown },
      ]),
    ).toMatchObject([{ code: 'NOT_FOUND', field: 'stimuli', message: expect.stringContaining('q2') }]);
    expect(
      await link([
        { name: 'q1', imageId: one },
        { name: 'q1', imageId: two },
      ]),
    ).toMatchObject([{ code: 'BAD_INPUT', field: 'stimuli' }]);
    expect(await stored()).toEqual(before);
    expect(await link([{ name: 'q1', imageId: one }])).toEqual([]);
    expect(await link([{ name: 'q1', imageId: one }])).toEqual([]);
    expect(await link([{ name: 'q1', imageId: two }])).toMatchObject([
      { code: 'CONFLICT', field: 'stimuli' },
    ]);
    expect(await link([{ name: 'q1', imageId: two }], true)).toEqual([]);
    const { data } = await lab.lab.send(
      '{ stimuli(first: 1) { nodes { name sourceImage { id } } totalCount } }',
    );
    expect(data).toEqual({
      stimuli: { nodes: [{ name: 'q1', sourceImage: { id: two } }], totalCount: expect.any(Number) },
    });
  });
});

test('a beta that is no number is refused when the session is imported', async () => {
  const files = sessionFiles(['picture-0', 'picture-1']);
  const betas = new Float32Array(4 * TINY.voxels).fill(1);
  betas[7] = Number.NaN;
  const payload = await lab.mutate(
    'importFmriSession',
    'ImportFmriSessionInput',
    'fmriSession { id }',
    { subjectId: lab.subjectId, label: '09', betas: null, trials: null },
    { ...files, 'input.betas': { name: 'b.npy', bytes: writeNpy(betas, [4, TINY.voxels]) } },
  );
  expect(payload.userErrors).toMatchObject([
    { code: 'BAD_INPUT', field: 'betas', message: expect.stringContaining('voxel 7') },
  ]);
});

test('a withdrawn subject has no runs: those that wait are cancelled and hidden, and a new one is refused', async () => {
  const { id, errors } = await lab.create({ sessionIds: [sessions.good] });
  expect(errors).toEqual([]);
  const { data } = await lab.lab.send(
    'query($id: ID!) { subjectWithdrawalReport(subjectId: $id) { digest } }',
    {
      id: lab.subjectId,
    },
  );
  const { digest } = data!.subjectWithdrawalReport as { digest: string };
  const input = { subjectId: lab.subjectId, reason: 'asked to', digest };
  expect(
    (await lab.mutate('withdrawSubject', 'WithdrawSubjectInput', '__typename', input)).userErrors,
  ).toEqual([]);
  expect(await lab.read(id)).toBeNull();
  const { rows } = await lab.lab.services.store.pool.query(
    'SELECT state, cancel_requested FROM training_run WHERE id = $1',
    [id.replace('TrainingRun_', '')],
  );
  expect(rows).toEqual([{ state: 'CANCELLED', cancel_requested: true }]);
  expect((await lab.create({ sessionIds: [sessions.good] })).errors).toMatchObject([
    { code: 'NOT_FOUND', field: 'subjectId' },
  ]);
  expect((await lab.ask('resume', id))[0]).toMatchObject({ code: 'NOT_FOUND', field: 'id' });
});
