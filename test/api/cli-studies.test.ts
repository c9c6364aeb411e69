// Studies by the command line as a user runs it, against a real server and worker: the paper's preset, its life, its export.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodePng } from '../../src/imaging/decode.js';
import { MindPainter } from '../../src/sdk/client.js';
import { type ExportedStudy, verifyExport } from '../../src/services/study-verification.js';
import { type ClientLab, startClientLab } from '../support/client-lab.js';
import { answersTo, type StudySupplies, uploadSupplies } from '../support/client-study.js';
import { noise } from '../support/study-lab.js';

let lab: ClientLab;
let mp: MindPainter;
let supplies: StudySupplies;
let stimulusId: string;
let studyId: string;
const parse = (text: string) => JSON.parse(text);
const studies = (...args: string[]) => lab.cli(['studies', ...args]);
const preset = (...args: string[]) => studies('preset', 'mindpainter', ...args);
const FAST = ['--steps', '1'];

beforeAll(async () => {
  lab = await startClientLab();
  mp = new MindPainter({ url: lab.url });
  await lab.cli(['subjects', 'create', '01', '--simulated']);
  await lab.cli(['sessions', 'import', '01', 'ses-01', 'betas.npy', 'trials.csv']);
}, 120_000);
afterAll(async () => {
  await mp?.close();
  await lab?.close();
}, 60_000);

test('what the preset lacks is counted, and a wrong command line makes nothing', async () => {
  const few = await preset('--json');
  expect(few).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('97 are missing; mindpainter sessions'),
  });
  expect(parse(few.stdout)).toMatchObject({ error: { code: 'BAD_INPUT', field: 'trials' } });
  supplies = await uploadSupplies(mp, 100);
  await writeFile(join(lab.folder, 'images.txt'), 'photo.png\n\nother.png\n');
  expect((await preset('--images', 'images.txt')).stderr).toContain('and there are 2: 98 are missing');
  for (const wrong of [
    ['--against', 'brain'],
    ['--against', 'nothing'],
    ['--mask', 'photo.png'],
    ['--steps', 'many'],
    ['--criterion', 'a=b'],
    ['--average', '--trials', 'x'],
    ['--benchmark', 'Benchmark_x', '--model', 'toy'],
  ])
    expect([wrong, (await preset(...wrong)).code]).toEqual([wrong, 2]);
  expect((await studies('preset', 'another')).code).toBe(2);
  expect((await mp.benchmarks.list().next()).done).toBe(true);
}, 120_000);

test('the preset orders 200 paintings, goes on where it was left, and makes exactly the paper s study', async () => {
  // The newest picture is what was seen: it is not painted on.
  stimulusId = (await mp.images.upload(await encodePng(noise(1)))).id;
  await mp.subjects.linkStimuli([{ name: 's1', imageId: stimulusId }]);
  const ordered = await preset(...FAST, '--no-wait', '--quiet');
  expect(ordered).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Benchmark_\S+\n$/), stderr: '' });
  const id = ordered.stdout.trim();
  const again = await preset(...FAST, '--no-wait');
  expect(again).toMatchObject({ code: 0, stdout: `${id}\n` });
  expect(again.stderr).toContain(
    `0 of 200 are painted; go on with it: mindpainter studies preset mindpainter --benchmark ${id}`,
  );
  const waiting = lab.start(['studies', 'preset', 'mindpainter', '--benchmark', id, '--name', "it's mine"]);
  await waiting.says(/paintings 0\/200/);
  waiting.child.kill('SIGINT');
  const cut = await waiting.ended;
  expect([cut.code, cut.stdout]).toEqual([130, '']);
  expect(cut.stderr).toContain(`preset mindpainter --benchmark ${id} --name 'it'\\''s mine'`);
  const { batch } = await mp.benchmarks.get(id);
  await mp.jobs.cancelMany({ batchId: batch.id });
  const failed = await preset('--benchmark', id);
  expect(failed).toMatchObject({ code: 1, stdout: `${id}\n` });
  expect(failed.stderr).toMatch(/200 of 200 paintings failed: .*\n.*--retry/);
  await lab.startWorker();
  const done = await preset('--benchmark', id, '--retry', '--json');
  expect(done, done.stderr).toMatchObject({ code: 0 });
  expect(done.stderr).toMatch(/paintings \d+\/200[\s\S]*next: mindpainter studies pilot Study_/);
  const { study, benchmark, shape } = parse(done.stdout);
  expect(shape).toEqual({ pairs: 100, arms: 2, criteria: 3, raters: 20, groups: 5 });
  expect(benchmark).toMatchObject({ id, itemCount: 100, itemsSha256: expect.any(String), arms: [{}, {}] });
  // Each rater has the 20 pairs of a group.
  expect(study).toMatchObject({ state: 'DRAFT', progress: { screens: 400, seats: 20 } });
  studyId = study.id;
  const items = await mp.query<{ benchmark: { items: { sourceImage: { id: string } }[] } }>(
    'query($id: ID!) { benchmark(id: $id) { items(first: 100) { sourceImage { id } } } }',
    { id },
  );
  const painted = items.benchmark.items.map(({ sourceImage }) => sourceImage.id);
  expect([new Set(painted).size, painted.includes(stimulusId)]).toEqual([100, false]);
  // Given again, it is the same study; under another name, another one, with criteria of one's own.
  expect((await preset('--benchmark', id)).stdout).toBe(`${studyId}\n`);
  const own = ['a=What?', 'b=How?', 'c=Why?'].flatMap((text) => ['--criterion', text]);
  const other = await preset('--benchmark', id, '--name', 'other', ...own);
  expect(other).toMatchObject({ code: 0, stderr: expect.stringContaining('(a, b, c)') });
  expect(other.stdout).not.toBe(`${studyId}\n`);
}, 400_000);

test('pictures from a folder, and signals that are the mean of all trials of a stimulus', async () => {
  await lab.stopWorker();
  // The newest session: a, b, a again, so that a has four trials in all.
  await lab.cli(['sessions', 'import', '01', 'ses-02', 'betas.npy', 'trials.csv']);
  const folder = join(lab.folder, 'pictures');
  await mkdir(folder);
  for (let i = 0; i < 100; i++)
    await writeFile(join(folder, `${String(i).padStart(3, '0')}.png`), await encodePng(noise(100 + i)));
  const args = ['--images', 'pictures', '--average', '--against', 'no-brain', '--no-wait', '--json'];
  const ordered = await preset(...FAST, ...args);
  expect(ordered, ordered.stderr).toMatchObject({ code: 0 });
  const { benchmark } = parse(ordered.stdout);
  expect(benchmark).toMatchObject({ arms: [{ method: 'BRAIN' }, { method: 'NO_BRAIN' }] });
  interface Item {
    readonly stimulus: string;
    readonly sourceImage: { readonly id: string };
    readonly cells: readonly { readonly paintJob: { readonly trials: readonly { stimulus: string }[] } }[];
  }
  const { benchmark: made } = await mp.query<{ benchmark: { items: Item[] } }>(
    `query($id: ID!) { benchmark(id: $id) {
      items(first: 100) { stimulus sourceImage { id } cells { paintJob { trials { stimulus } } } } } }`,
    { id: benchmark.id },
  );
  expect(made.items.map(({ sourceImage }) => sourceImage.id)).toEqual(supplies.imageIds);
  const counts = Object.fromEntries(
    made.items.map(({ stimulus, cells }) => [stimulus, cells[0]!.paintJob.trials.length]),
  );
  expect(Object.keys(counts)).toHaveLength(100);
  expect([counts.a, counts.b, counts.s0]).toEqual([4, 2, 1]);
  await mp.jobs.cancelMany({ batchId: benchmark.batch.id });
}, 180_000);

test('list and show say where a study stands; its life goes step by step', async () => {
  const table = await studies('list');
  expect(table).toMatchObject({ code: 0, stderr: '' });
  expect(table.stdout).toMatch(
    /^name +version +state .*\nother +1 +DRAFT .*\nRating of paintings +1 +DRAFT /,
  );
  expect(parse((await studies('list', '--json')).stdout)).toHaveLength(2);
  expect((await studies('show', studyId)).stdout).toContain(`next: mindpainter studies pilot ${studyId}`);
  expect(await studies('open', studyId)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('pilot it first'),
  });
  const piloted = await studies('pilot', studyId);
  expect(piloted).toMatchObject({ code: 0, stdout: `${studyId}: PILOTED\n` });
  expect(piloted.stderr).toMatch(/realism: expected width of the 95 % interval \d\.\d+, power/);
  expect((await studies('open', studyId)).stderr).toContain(`studies invite ${studyId} --count 20`);
  expect((await studies('pause', studyId)).stdout).toBe(`${studyId}: PAUSED\n`);
  expect((await studies('open', studyId)).code).toBe(0);
  expect((await studies('invite', studyId)).code).toBe(2);
  const invited = await studies('invite', studyId, '--names', 'ada, bob', '--json');
  const links = parse(invited.stdout);
  expect(links).toMatchObject([
    { rater: 'ada' },
    { rater: 'bob', link: expect.stringContaining(`${lab.url}/rate#`) },
  ]);

  await using ada = new MindPainter({ url: lab.url });
  await ada.rater.signIn(links[0].link);
  let shown = await ada.rater.start(studyId, '1');
  for (let i = 0; i < 4; i++) {
    const answer = { studyId, tabId: shown.tabId!, slotId: shown.screen!.slotId };
    shown = (await ada.rater.answer({ ...answer, answers: answersTo(shown.screen!) })).study;
  }
  const show = parse((await studies('show', studyId, '--json')).stdout);
  expect(show).toMatchObject({ state: 'OPEN', progress: { seatsTaken: 1, invited: 2 } });
  const [rater] = parse((await studies('raters', studyId, '--json')).stdout);
  expect(rater).toMatchObject({ name: 'ada', state: 'ACTIVE', answered: 4, place: 1 });
  const word = ['--reason', 'was asleep', '--verdict'];
  expect(await studies('judge', studyId, rater.id, ...word, 'continue')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not PAUSED'),
  });
  expect((await studies('judge', studyId, rater.id, ...word, 'exclude')).code).toBe(0);
  expect((await studies('show', studyId)).stdout).toContain(`left out: ada (${rater.id}): was asleep`);
  expect((await studies('show', 'Study_00000000-0000-7000-8000-000000000000')).code).toBe(3);
}, 180_000);

test('an export waits for the arms to be told; it is a whole file, or a stream, and verifies', async () => {
  const early = await studies('export', studyId, '--out', 'early.json');
  expect(early).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('close and unseal it first'),
  });
  expect(await studies('close', studyId)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('give --yes'),
  });
  expect((await studies('close', studyId, '--yes')).stdout).toBe(`${studyId}: CLOSED\n`);
  const unsealed = await studies('unseal', studyId, '--yes');
  expect(unsealed.stderr).toContain(`next: mindpainter studies export ${studyId}`);
  const written = await studies('export', studyId, '--out', 'export.json', '--json');
  expect(written).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/MB export.json[\s\S]*npm run verify:export/),
  });
  const bytes = await readFile(join(lab.folder, 'export.json'));
  expect(parse(written.stdout)).toEqual({
    id: studyId,
    format: 'json',
    file: 'export.json',
    sizeBytes: bytes.length,
  });
  expect(verifyExport(parse(bytes.toString()) as ExportedStudy)).toMatchObject({ events: 4, faults: [] });
  const csv = await studies('export', studyId, '--format', 'csv', '--out', '-');
  // The seed is chance's: checks may be among the first screens. The others have 2 paintings by 3 criteria each.
  const { events, slots } = parse(bytes.toString()) as {
    events: { slot: string }[];
    slots: { id: string; kind: string }[];
  };
  const rated = events.filter(({ slot }) => slots.find(({ id }) => id === slot)!.kind === 'RATING').length;
  expect(rated).toBeGreaterThan(0);
  expect(csv.stdout.trim().split('\n')).toHaveLength(1 + 6 * rated);
  await studies('export', studyId, '--format', 'csv', '--out', 'ratings.csv', '--quiet');
  expect(await readFile(join(lab.folder, 'ratings.csv'), 'utf8')).toBe(csv.stdout);
  for (const [format, words] of [
    ['dictionary', 'criterion'],
    ['report', '<svg'],
  ] as const) {
    expect((await studies('export', studyId, '--format', format, '--out', format)).stdout).toBe(
      `${format}\n`,
    );
    expect(await readFile(join(lab.folder, format), 'utf8')).toContain(words);
  }
  expect((await studies('export', studyId, '--format', 'pdf', '--out', 'x')).code).toBe(2);
  expect(await studies('export', studyId, '--out', 'no/such/x.json')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('there is no such folder'),
  });
  expect((await lab.cli(['__complete', '--', 'studies', 'ex'])).stdout).toBe('export\n');
  expect((await lab.cli(['__complete', '--', 'studies', 'export', '--fo'])).stdout).toBe('--format\n');
}, 180_000);
