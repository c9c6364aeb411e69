// The command line as a user runs it, against a real server and worker: every command, its exit codes, and what interrupts it.

import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ClientLab, startClientLab } from '../support/client-lab.js';

let lab: ClientLab;
const MASK = 'rectangle:0.25,0.25,0.5,0.5';
const PAINT = ['--subject', '01', '--stimulus', 'a', '--mask', MASK];
const parse = (text: string) => JSON.parse(text);

beforeAll(async () => {
  lab = await startClientLab();
  await lab.startWorker();
  for (const args of [
    ['subjects', 'create', 'sub-01', '--simulated'],
    ['sessions', 'import', '01', 'ses-01', 'betas.npy', 'trials.csv'],
  ])
    expect(await lab.cli(args)).toMatchObject({ code: 0 });
}, 120_000);
afterAll(async () => lab?.close(), 60_000);

test('what a lab has, as tables and as JSON: data on standard output, the rest on the other', async () => {
  const table = await lab.cli(['subjects', 'list']);
  expect(table).toMatchObject({ code: 0, stderr: '' });
  expect(table.stdout).toMatch(/^label +simulated .*\n01 +true /);
  const json = await lab.cli(['subjects', 'list', '--json']);
  expect(parse(json.stdout)).toMatchObject([{ label: '01', simulated: true }]);
  const again = await lab.cli(['sessions', 'import', '01', '01', 'betas.npy', 'trials.csv', '--json']);
  expect(again.stderr).toContain('40 voxels');
  expect(parse(again.stdout)).toMatchObject({ label: '01', voxels: 40 });
  const images = await lab.cli([
    'images',
    'upload',
    'photo.png',
    'other.png',
    'photo.png',
    '--json',
    '--quiet',
  ]);
  expect(images.stderr).toBe('');
  const [a, b, c] = parse(images.stdout);
  expect([a.id === c.id, a.id === b.id, a.widthPx]).toEqual([true, false, 90]);
  expect(parse((await lab.cli(['models', 'list', '--json'])).stdout)).toHaveLength(1);
}, 60_000);

test('one picture to a file, with its progress, and as JSON', async () => {
  const one = await lab.cli([
    'paint',
    'photo.png',
    ...PAINT,
    '--out',
    'painted.png',
    '--steps',
    '40',
    '--seed',
    '5',
  ]);
  expect(one).toMatchObject({ code: 0, stdout: 'painted.png\n' });
  expect(one.stderr).toMatch(/submitted PaintJob_[\s\S]*succeeded 40\/40/);
  expect(await sharp(join(lab.folder, 'painted.png')).metadata()).toMatchObject({ width: 90, height: 70 });
  const two = await lab.cli([
    'paint',
    'photo.png',
    ...PAINT,
    '--out',
    'p.png',
    '--steps',
    '2',
    '--count',
    '2',
    '--method',
    'no-brain',
    '--json',
  ]);
  const { files, jobId } = parse(two.stdout);
  expect(files).toEqual(['p-1.png', 'p-2.png']);
  expect(await lab.cli(['watch', jobId])).toMatchObject({ code: 0, stdout: `${jobId}: SUCCEEDED\n` });
}, 60_000);

test('a file of jobs: its faults by line, its results, and the same jobs when it is submitted again', async () => {
  const line = (seed: number | string, image = 'photo.png') => `${image},full,01,a,${seed},2\n`;
  const head = 'image,mask,subject,stimulus,seed,steps\n';
  const ten = Array.from({ length: 10 }, (_, i) => line(i));
  const write = (name: string, lines: readonly string[]) =>
    writeFile(join(lab.folder, name), head + lines.join(''));
  // The head is line 1, so that the seventh line of the file is the sixth job.
  await write('bad.csv', ten.toSpliced(5, 1, line('seven')));
  const bad = await lab.cli(['batch', 'submit', 'bad.csv']);
  expect(bad).toMatchObject({ code: 1, stdout: '' });
  expect(bad.stderr).toContain('bad.csv:7: seed: seven is not a number');
  await write('missing.csv', ten.toSpliced(5, 1, line(6, 'nothing.png')));
  expect((await lab.cli(['batch', 'submit', 'missing.csv'])).stderr).toContain(
    'missing.csv:7: cannot read nothing.png',
  );
  await write('refused.csv', ten.toSpliced(5, 1, line(-1)));
  const refused = await lab.cli(['batch', 'submit', 'refused.csv', '--json']);
  expect(parse(refused.stdout).errors).toMatchObject([{ line: 7, field: 'seed' }]);
  await writeFile(join(lab.folder, 'ragged.csv'), `${head}photo.png,full\n`);
  expect((await lab.cli(['batch', 'submit', 'ragged.csv'])).stderr).toMatch(/ragged.csv:2: /);
  await writeFile(join(lab.folder, 'bad.jsonl'), '{"image":"photo.png"}\n{oops\n');
  expect((await lab.cli(['batch', 'submit', 'bad.jsonl'])).stderr).toMatch(
    /bad.jsonl:1: mask: .*\n.*bad.jsonl:2: this is not/,
  );

  await write('jobs.csv', ten);
  const first = await lab.cli(['batch', 'submit', 'jobs.csv', '--quiet']);
  const again = await lab.cli(['batch', 'submit', 'jobs.csv', '--watch', '--json']);
  expect(parse(again.stdout)).toMatchObject({
    id: first.stdout.trim(),
    jobCount: 10,
    stateCounts: [{ state: 'SUCCEEDED', count: 10 }],
  });
  const download = ['results', 'download', first.stdout.trim(), '--out', 'paintings'];
  expect((await lab.cli(download)).stdout.trim().split('\n')).toHaveLength(10);
  const folder = join(lab.folder, 'paintings');
  expect((await readdir(folder)).every((name) => name.endsWith('.png'))).toBe(true);
  expect((await lab.cli(download)).stderr).toContain('10 paintings, 0 of them fetched now');
  const other = await lab.cli(['batch', 'submit', 'jobs.csv', '--again', '--quiet']);
  expect(other.stdout).not.toBe(first.stdout);
  await lab.cli(['cancel', other.stdout.trim()]);
}, 120_000);

test('Ctrl-C says what goes on and how to come back; what was cut off is submitted again and is the same', async () => {
  const painting = lab.start([
    'paint',
    'photo.png',
    ...PAINT,
    '--out',
    'late.png',
    '--steps',
    '1000',
    '--count',
    '8',
  ]);
  const id = await painting.says(/submitted (PaintJob_\S+)/);
  painting.child.kill('SIGINT');
  const { code, stderr, stdout } = await painting.ended;
  expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  expect(stderr).toContain(`${id} goes on without this command`);
  expect(stderr).toContain(`mindpainter watch ${id}`);
  expect(stderr).not.toMatch(/\bat .*\.ts:\d/);
  expect(await readdir(lab.folder)).not.toContain('late.png');
  expect((await lab.cli(['cancel', id])).code).toBe(0);
  const cancelled = await lab.cli(['watch', id]);
  expect(cancelled).toMatchObject({ code: 1, stdout: `${id}: CANCELLED\n` });

  const jobs = Array.from(
    { length: 40 },
    (_, i) =>
      `${JSON.stringify({ image: 'photo.png', mask: 'full', subject: '01', stimulus: 'a', seed: i, steps: 1 })}\n`,
  );
  await writeFile(join(lab.folder, 'jobs.jsonl'), jobs.join(''));
  const cut = lab.start(['batch', 'submit', 'jobs.jsonl']);
  await cut.says(/lines looked at/);
  cut.child.kill('SIGKILL');
  await cut.ended;
  const submitted = await lab.cli(['batch', 'submit', 'jobs.jsonl', '--quiet']);
  expect((await lab.cli(['batch', 'submit', 'jobs.jsonl', '--quiet'])).stdout).toBe(submitted.stdout);
  await lab.cli(['cancel', submitted.stdout.trim()]);
}, 120_000);

test('a server that goes and comes back is waited for', async () => {
  const painting = lab.start(['paint', 'photo.png', ...PAINT, '--out', 'waited.png', '--steps', '1000']);
  await painting.says(/running/);
  await lab.killServer();
  await painting.says(/the connection was lost/);
  await lab.startServer();
  expect(await painting.ended).toMatchObject({ code: 0, stdout: 'waited.png\n' });
}, 120_000);

test('exit codes and one line each: usage, not found, no server, a place that cannot be written', async () => {
  const typo = await lab.cli(['pant', 'photo.png']);
  expect(typo.code).toBe(2);
  expect(typo.stderr).toContain('Did you mean paint?');
  expect((await lab.cli([])).code).toBe(2);
  expect(await lab.cli(['paint', 'photo.png', '--mask', MASK, '--out', 'x.png'])).toMatchObject({ code: 2 });
  expect(await lab.cli(['paint', 'photo.png', ...PAINT, '--out', 'x.png', '--steps', 'many'])).toMatchObject({
    code: 2,
  });
  expect(
    (
      await lab.cli([
        'paint',
        'photo.png',
        '--subject',
        '01',
        '--stimulus',
        'zebra',
        '--mask',
        MASK,
        '--out',
        'x.png',
      ])
    ).code,
  ).toBe(3);
  expect((await lab.cli(['watch', 'PaintJob_00000000-0000-7000-8000-000000000000'])).code).toBe(3);
  const mask = await lab.cli([
    'paint',
    'photo.png',
    '--subject',
    '01',
    '--stimulus',
    'a',
    '--mask',
    'ellipse:1',
    '--out',
    'x.png',
    '--json',
  ]);
  expect(mask).toMatchObject({ code: 1, stderr: expect.stringContaining('ellipse takes 4 numbers') });
  expect(parse(mask.stdout)).toMatchObject({ error: { code: 'BAD_INPUT', field: 'mask' } });
  const away = await lab.cli(['models', 'list', '--server', 'http://127.0.0.1:4']);
  expect(away).toMatchObject({ code: 5, stdout: '' });
  expect(away.stderr.trim().split('\n')).toHaveLength(1);
  expect(away.stderr).toMatch(/no server answers at http:\/\/127.0.0.1:4; start it \(npm start\)/);
  const unwatched = await lab.cli(['watch', 'PaintJob_x', '--server', 'http://127.0.0.1:4']);
  expect(unwatched).toMatchObject({ code: 5, stderr: away.stderr });
  const unwritable = await lab.cli([
    'paint',
    'photo.png',
    ...PAINT,
    '--steps',
    '1',
    '--out',
    'no/such/folder.png',
  ]);
  expect(unwritable).toMatchObject({ code: 1 });
  expect(unwritable.stderr).toContain('cannot write no/such/folder.png: there is no such folder');
  expect(unwritable.stderr).not.toContain('submitted');
}, 90_000);

test('a token is asked of the server, kept for its owner only, and sent to that server only; a wrong one is said to be so', async () => {
  const token = await lab.makeAdmin('ada');
  const path = join(lab.folder, 'config/mindpainter/config.json');
  const wrong = await lab.cli(['login'], { input: `${token}x\n` });
  expect(wrong).toMatchObject({ code: 4, stderr: expect.stringContaining('the token is not known') });
  expect(await readdir(join(lab.folder, 'config'))).toEqual([]);
  expect((await lab.cli(['login'], { input: '' })).code).toBe(2);
  expect((await lab.cli(['whoami'])).stdout).toMatch(/^local, admin/);
  const right = await lab.cli(['login'], { input: `${token}\n` });
  expect(right).toMatchObject({ code: 0, stdout: expect.stringContaining('as ada, admin') });
  expect(right.stdout + right.stderr).not.toContain(token);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await lab.cli(['whoami'])).stdout).toMatch(/^ada, admin/);
  const elsewhere = lab.url.replace('127.0.0.1', 'localhost');
  expect((await lab.cli(['whoami', '--server', elsewhere])).stdout).toMatch(/^local, admin/);
  const given = await lab.cli(['models', 'list'], { env: { MINDPAINTER_TOKEN: 'wrong' } });
  expect(given).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('mindpainter login') });
  await chmod(path, 0o644);
  expect((await lab.cli(['whoami'])).stderr).toContain('others can read');
  expect((await lab.cli(['logout'])).code).toBe(0);
  expect((await lab.cli(['whoami'])).stdout).toMatch(/^local, admin/);
  expect(await readFile(path, 'utf8')).not.toContain(token);
  await writeFile(path, '{');
  expect(await lab.cli(['whoami'])).toMatchObject({ code: 1, stderr: expect.stringContaining('is damaged') });
  await rm(path);
}, 60_000);

test('a subject falls only after its report was seen', async () => {
  await lab.cli(['subjects', 'create', '99']);
  const seen = await lab.cli(['subjects', 'withdraw', '99', '--reason', 'asked to', '--json']);
  expect(seen.stderr).toContain('nothing was withdrawn');
  const { digest, trialCount } = parse(seen.stdout);
  expect(trialCount).toBe(0);
  expect(parse((await lab.cli(['subjects', 'list', '--json'])).stdout)).toHaveLength(2);
  const done = await lab.cli(['subjects', 'withdraw', '99', '--reason', 'asked to', '--digest', digest]);
  expect(done).toMatchObject({ code: 0, stdout: 'withdrawn: 99\n' });
  expect(parse((await lab.cli(['subjects', 'list', '--json'])).stdout)).toHaveLength(1);
}, 60_000);

test('bash completes commands, options and their words; every command has examples', async () => {
  const script = (await lab.cli(['completion', 'bash'])).stdout;
  expect(script).toContain('complete -F _mindpainter mindpainter');
  expect((await lab.cli(['__complete', '--', 'subjects', 'w'])).stdout).toBe('withdraw\n');
  expect((await lab.cli(['__complete', '--', 'paint', '--sti'])).stdout).toBe('--stimulus\n');
  expect((await lab.cli(['__complete', '--', 'paint', '--out', ''])).stdout).toBe('');
  expect((await lab.cli(['completion', 'tcsh'])).code).toBe(2);
  const { createProgram } = await import('../../src/cli/program.js');
  const leaves: string[] = [];
  const walk = (command: ReturnType<typeof createProgram>, path: string): void => {
    if (command.commands.length === 0 && !command.name().startsWith('__')) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      if (!help.includes('$ mindpainter')) leaves.push(path);
    }
    for (const inner of command.commands) walk(inner, `${path} ${inner.name()}`);
  };
  walk(createProgram(), '');
  expect(leaves).toEqual([]);
}, 60_000);
