// The house rules as a test: who imports whom, no cycles, no file over 400 lines, one reader of the environment.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

/** What each room may import besides itself and config, errors, log. `main` may import everything. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  graph: [],
  metrics: [],
  stats: [],
  design: ['stats'],
  fmri: [],
  imaging: [],
  runtime: [],
  autodiff: ['graph'],
  train: ['graph', 'autodiff', 'runtime', 'imaging'],
  painter: ['runtime', 'imaging'],
  toy: ['imaging', 'fmri'],
  telemetry: [],
  store: ['generated'],
  queue: ['store'],
  services: ['store', 'queue', 'fmri', 'imaging', 'stats', 'design', 'generated', 'telemetry'],
  jobs: [
    'services',
    'store',
    'queue',
    'painter',
    'train',
    'runtime',
    'metrics',
    'stats',
    'imaging',
    'telemetry',
  ],
  api: ['services', 'generated', 'store', 'telemetry'],
  sdk: ['generated'],
  cli: ['sdk'],
  web: ['generated'],
};
const COMMON = ['config.ts', 'errors.ts', 'log.ts', 'random.ts'];

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('generated'))
  .map((name) => name.replaceAll('\\', '/'));

const text = new Map(files.map((file) => [file, readFileSync(join('src', file), 'utf8')]));

function importsOf(file: string): string[] {
  const found = [...text.get(file)!.matchAll(/(?:from|import)\s*\(?'(\.[^']+)'/g)].map((match) => match[1]!);
  return found.map((path) => normalize(join(dirname(file), path)).replace(/\.js$/, '.ts'));
}

const roomOf = (file: string) => (file.includes('/') ? file.split('/')[0]! : file);

test('there are files to look at, and every room is known', () => {
  expect(files.length).toBeGreaterThan(20);
  const rooms = new Set(files.map(roomOf).filter((room) => !COMMON.includes(room) && room !== 'main'));
  expect([...rooms].filter((room) => !(room in ALLOWED))).toEqual([]);
});

test('rooms import only what they may', () => {
  const breaches = files.flatMap((file) => {
    const room = roomOf(file);
    if (room === 'main') return [];
    const allowed = COMMON.includes(room) ? COMMON : [room, ...COMMON, ...ALLOWED[room]!];
    return importsOf(file)
      .filter((target) => !allowed.includes(roomOf(target)))
      .map((target) => `${file} imports ${target}`);
  });
  expect(breaches).toEqual([]);
});

test('no imports go in a circle', () => {
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done' || !text.has(file)) return;
    if (state.get(file) === 'open') {
      circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    state.set(file, 'open');
    for (const target of importsOf(file)) visit(target, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

test('no file is longer than 400 lines, and each opens by saying what it holds', () => {
  expect(files.filter((file) => text.get(file)!.split('\n').length > 401)).toEqual([]);
  expect(files.filter((file) => !text.get(file)!.startsWith('//'))).toEqual([]);
});

test('what is built for other programs holds nothing of the server, not even its configuration', () => {
  const targets = (room: RegExp) => {
    const client = files.filter((file) => room.test(file));
    return [...new Set(client.flatMap(importsOf).filter((target) => !client.includes(target)))];
  };
  expect(targets(/^(sdk|cli)\//)).toEqual(['generated/operations.ts']);
  expect(targets(/^web\//)).toEqual(['generated/web-operations.ts']);
});

test('pages take nothing from packages, and nothing from elsewhere', () => {
  const pages = readdirSync('src/web');
  expect(pages.length).toBeGreaterThan(5);
  for (const name of pages) {
    const content = readFileSync(join('src/web', name), 'utf8');
    // Addresses of namespaces are no addresses to load from.
    const addresses = content.match(/(?:https?:)?\/\/[\w-]+\.[\w.]+/g) ?? [];
    expect([name, addresses.filter((address) => !address.includes('www.w3.org'))]).toEqual([name, []]);
    if (name.endsWith('.ts')) expect([name, content.match(/from '(?!\.)[^']+'/g) ?? []]).toEqual([name, []]);
    if (name.endsWith('.html'))
      expect([name, /<script(?![^>]*\bsrc=)|\bon\w+=|<style|\bstyle=/.test(content)]).toEqual([name, false]);
  }
});

test('the environment is read in config.ts, and for the command line in cli/settings.ts; onnxruntime-node in runtime only', () => {
  const readers = ['config.ts', 'cli/settings.ts'];
  expect(files.filter((file) => !readers.includes(file) && /process\.env\b/.test(text.get(file)!))).toEqual(
    [],
  );
  expect(
    files.filter((file) => roomOf(file) !== 'runtime' && text.get(file)!.includes("'onnxruntime-node'")),
  ).toEqual([]);
});
