// The command line as a whole.

import { Command } from 'commander';
import { addBatch } from './commands/batch.js';
import { addLab } from './commands/lab.js';
import { addLogin } from './commands/login.js';
import { addPaint } from './commands/paint.js';
import { addStudies } from './commands/studies.js';
import { addTrain } from './commands/train.js';
import { addWatch } from './commands/watch.js';
import { addCompletion } from './completion.js';

const AFTER = `
Every command takes --server, --json and --quiet, and shows examples with --help.

Examples:
  $ mindpainter sessions import 01 ses-01 betas.npy trials.csv
  $ mindpainter paint photo.png --subject 01 --stimulus apple --mask ellipse:0.3,0.3,0.4,0.4 --out painted.png
  $ mindpainter batch submit jobs.csv --watch

Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 3 not found, 4 not signed in or not allowed,
5 no server answers, 130 interrupted.
Environment: MINDPAINTER_URL, MINDPAINTER_TOKEN, NO_COLOR.`;

/** Builds the commands; each sets the process's exit code. */
export function createProgram(): Command {
  const program = new Command('mindpainter')
    .description('A MindPainter server from the command line.')
    .addHelpText('after', AFTER)
    .showHelpAfterError('(--help shows how)')
    .exitOverride();
  addLogin(program);
  addLab(program);
  addPaint(program);
  addBatch(program);
  addWatch(program);
  addTrain(program);
  addStudies(program);
  addCompletion(program);
  return program;
}
