// `mindpainter`: the command line, a client like any other.

import { CommanderError } from 'commander';
import { EXIT } from './failures.js';
import { createProgram } from './program.js';
import { callerFolder } from './settings.js';

// A reader that has seen enough, such as head, is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

// npm runs the scripts of a checkout in its root; files are meant from where the user stands.
const standing = callerFolder();
if (standing) process.chdir(standing);

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  const asked = error.code === 'commander.helpDisplayed' || error.code === 'commander.version';
  process.exitCode = asked ? EXIT.ok : EXIT.usage;
}
