// `npm run build:client`: the SDK and the command line as a package of their own in dist/client (or the folder that is named),
// without the server and what it needs. `npm i ./dist/client` or `npm pack ./dist/client` take it from there.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import './ensure-generated.js';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = resolve(process.argv[2] ?? join(ROOT, 'dist/client'));

/** What src/sdk and src/cli import; their versions are the lockfile's. */
const DEPENDENCIES = [
  '@graphql-typed-document-node/core',
  'commander',
  'csv-parse',
  'graphql',
  'graphql-ws',
  'ws',
] as const;

rmSync(target, { recursive: true, force: true });
const tsc = join(ROOT, 'node_modules/.bin/tsc');
const { status } = spawnSync(tsc, ['-p', 'tsconfig.client.json', '--outDir', target], {
  cwd: ROOT,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (status !== 0) throw new Error('the client could not be compiled');

const { name, version, license, engines, dependencies } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
);
const manifest = {
  name,
  version,
  description: 'SDK and command line of MindPainter',
  license,
  type: 'module',
  engines,
  exports: { './sdk': { types: './sdk/client.d.ts', default: './sdk/client.js' } },
  bin: { mindpainter: 'bin/mindpainter.js' },
  dependencies: Object.fromEntries(DEPENDENCIES.map((one) => [one, dependencies[one]])),
};
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
mkdirSync(join(target, 'bin'));
const bin = join(target, 'bin/mindpainter.js');
writeFileSync(bin, `#!/usr/bin/env node\nimport '../cli/main.js';\n`);
chmodSync(bin, 0o755);
