// The files that our pages are made from.

import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Every file of src/web, by its path in the repository. */
export const pageFiles = (): string[] =>
  readdirSync(join(ROOT, 'src/web'))
    .map((name) => `src/web/${name}`)
    .sort();
