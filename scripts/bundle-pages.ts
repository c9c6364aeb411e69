// Writes src/generated/web: what browsers are served, made from src/web. One script and one style sheet a page; nothing else.

import { rmSync } from 'node:fs';
import { buildSync } from 'esbuild';

const FOLDER = 'src/generated/web';

rmSync(FOLDER, { recursive: true, force: true });
buildSync({
  entryPoints: ['home.ts', 'rate.ts', 'style.css', 'home.html', 'rate.html', 'icon.svg'].map(
    (name) => `src/web/${name}`,
  ),
  outdir: FOLDER,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  loader: { '.html': 'copy', '.svg': 'copy' },
  logLevel: 'error',
});
