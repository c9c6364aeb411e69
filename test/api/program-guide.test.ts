// docs/guides/program.md as a reader follows it: the package is packed and installed outside the repository, and every block
// runs as it stands, against a server that wants a token.

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ClientLab, type Ended, follow, startClientLab } from '../support/client-lab.js';

const ROOT = resolve('.');
const GUIDE = readFileSync('docs/guides/program.md', 'utf8');
const BLOCKS = [...GUIDE.matchAll(/^```(\S+)(?: (install|studies))?\n(.*?)^```$/gms)].map((found, index) => ({
  language: found[1]!,
  part: found[2],
  text: found[3]!,
  index,
}));

let lab: ClientLab;
let token: string;

/** Runs a program in the lab's folder, in the environment that the guide speaks of. */
function run(program: string, args: readonly string[], input = ''): Promise<Ended> {
  const { MINDPAINTER_SECRET: _, ...inherited } = process.env;
  const child = spawn(program, args, {
    cwd: lab.folder,
    env: {
      ...inherited,
      PATH: `${join(lab.folder, 'node_modules/.bin')}:${process.env.PATH}`,
      XDG_CONFIG_HOME: join(lab.folder, 'config'),
      MINDPAINTER: ROOT,
      MINDPAINTER_URL: lab.url,
      MINDPAINTER_TOKEN: token,
    },
  });
  child.stdin.end(input);
  return follow(child).ended;
}

const blocksOf = (language: string) =>
  BLOCKS.filter((block) => block.language === language && block.part === undefined);
const isPicture = async (name: string) =>
  expect(await sharp(join(lab.folder, name)).metadata()).toMatchObject({
    format: 'png',
    width: 90,
    height: 70,
  });
const lacks = (program: string) => spawnSync(program, ['--version']).error !== undefined;
const OFFLINE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ENOTCACHED|network/;
let offline = '';

beforeAll(async () => {
  lab = await startClientLab({ secret: 'a secret of the tests, thirty-two long' });
  token = await lab.makeAdmin('ada');
  await lab.startWorker();
  writeFileSync(join(lab.folder, 'package.json'), '{ "type": "module", "private": true }\n');
  const [install] = BLOCKS.filter((block) => block.part === 'install');
  const flags = 'npm_config_audit=false npm_config_fund=false npm_config_prefer_offline=true';
  const done = await run('bash', ['-eu'], `export ${flags}\n${install!.text}`);
  if (done.code === 0) return;
  if (!OFFLINE.test(done.stderr)) throw new Error(done.stdout + done.stderr);
  offline = done.stderr;
  // The blocks can be tried all the same, with what the repository has.
  mkdirSync(join(lab.folder, 'node_modules/.bin'), { recursive: true });
  symlinkSync(lab.client, join(lab.folder, 'node_modules/mindpainter'));
  symlinkSync(join(lab.client, 'bin/mindpainter.js'), join(lab.folder, 'node_modules/.bin/mindpainter'));
}, 300_000);
afterAll(async () => lab?.close(), 60_000);

test('the guide holds what is tested here', () => {
  expect(BLOCKS.map(({ language }) => language)).toEqual([
    ...['sh', 'sh', 'sh', 'js'],
    // Studies.
    ...['js', 'sh'],
    ...['sh', 'python'],
  ]);
});

test('the package installs outside the repository, without the server', async (context) => {
  if (offline) context.skip('the package registry cannot be reached');
  const installed = join(lab.folder, 'node_modules');
  expect(await readdir(installed)).not.toContain('@prisma');
  expect(await readdir(join(installed, 'mindpainter'))).toContain('package.json');
  const typed = `import { MindPainter, type Job } from 'mindpainter/sdk';
const mp = new MindPainter({ url: 'http://127.0.0.1:4000' });
export const job: Promise<Job> = mp.jobs.wait('x');
// @ts-expect-error a job has no such field
export const nothing = (await job).nothing;
// @ts-expect-error a submission names its picture
void mp.jobs.submit({ maskId: 'm', modelId: 'm', trialIds: [] });
`;
  writeFileSync(join(lab.folder, 'typed.mts'), typed);
  symlinkSync(join(ROOT, 'node_modules/@types'), join(installed, '@types'));
  const flags = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
  const checked = await run(join(ROOT, 'node_modules/.bin/tsc'), [...flags, 'typed.mts']);
  expect(checked).toMatchObject({ code: 0, stdout: '' });
}, 120_000);

test('the command line and curl', async (context) => {
  if (lacks('curl') || lacks('jq')) context.skip('curl and jq are not both here');
  for (const { text } of blocksOf('sh')) {
    const done = await run('bash', ['-eu', '-o', 'pipefail'], text);
    expect(done, done.stderr).toMatchObject({ code: 0 });
  }
  await isPicture('painted.png');
  await isPicture('curl.png');
  expect(await readdir(join(lab.folder, 'paintings'))).toHaveLength(3);
}, 180_000);

test('the SDK', async () => {
  for (const { text, index } of blocksOf('js')) {
    writeFileSync(join(lab.folder, `block-${index}.js`), text);
    const done = await run(process.execPath, [`block-${index}.js`]);
    expect(done, done.stderr).toMatchObject({ code: 0 });
    expect(done.stdout).toMatch(/SUCCEEDED (\d+) \1\nsteps steps must be/);
  }
  for (const name of ['one', 'BRAIN-1', 'BRAIN-3', 'NO_BRAIN-2']) await isPicture(`${name}.png`);
}, 180_000);

test('studies, by the SDK and the command line', async (context) => {
  for (const { text, language, index } of BLOCKS.filter((block) => block.part === 'studies')) {
    const isShell = language === 'sh';
    if (isShell && lacks('jq')) context.skip('jq is not here');
    if (!isShell) writeFileSync(join(lab.folder, `block-${index}.js`), text);
    const done = await (isShell
      ? run('bash', ['-eu', '-o', 'pipefail'], text)
      : run(process.execPath, [`block-${index}.js`]));
    expect(done, done.stderr).toMatchObject({ code: 0 });
    // 2 raters, 2 pairs, 2 arms, 3 criteria.
    expect(done.stdout).toMatch(isShell ? /UNSEALED[\s\S]*report.html/ : /4 of 4\n24 ratings\n$/);
  }
}, 180_000);

test('Python', async (context) => {
  if (lacks('python3')) context.skip('python3 is not here');
  for (const { text } of blocksOf('python')) {
    const done = await run('python3', ['-'], text);
    expect(done, done.stderr).toMatchObject({ code: 0 });
  }
  await isPicture('python.png');
}, 120_000);
