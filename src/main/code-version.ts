// Which code this is: the package's version, and the commit where git and a checkout are there.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** `commit` ends on -dirty where files differ from it, and is null where it cannot be told. */
export async function codeVersion(): Promise<{ version: string; commit: string | null }> {
  const { version } = JSON.parse(await readFile(`${ROOT}/package.json`, 'utf8'));
  const commit = await promisify(execFile)(
    'git',
    ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'],
    {
      cwd: ROOT,
    },
  ).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
  return { version, commit };
}
