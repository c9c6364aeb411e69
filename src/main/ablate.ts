// `npm run ablate -- <experiment>`: measures a grid of settings, cell by cell, and writes table, plot and JSON.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError } from '../errors.js';
import { conditioning } from './ablate/conditioning.js';
import type { Experiment, Options } from './ablate/experiment.js';
import { guidance } from './ablate/guidance.js';
import { masks } from './ablate/masks.js';
import { drawFigure } from './ablate/plot.js';
import { intervalNote, markdownTable } from './ablate/report.js';
import { rowsOverSeeds, runCells } from './ablate/runner.js';
import { sigma } from './ablate/sigma.js';
import { sigmaPainting } from './ablate/sigma-painting.js';
import { signals } from './ablate/signals.js';
import { trials } from './ablate/trials.js';
import { endProgram } from './end-program.js';

const EXPERIMENTS: readonly Experiment[] = [
  signals,
  trials,
  sigma,
  sigmaPainting,
  conditioning,
  masks,
  guidance,
];

const list = () => EXPERIMENTS.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join('\n');

const HELP = `npm run ablate -- <experiment> [options]

${list()}

  --bundle FOLDER        the bundle whose networks are used (default models/toy)
  --judge FILE           the judge of paintings (default models/judge/model.onnx)
  --photographs FOLDER   pictures for backgrounds, may be repeated (default: drawn ones only)
  --folder FOLDER        finished cells and checkpoints (default runs/ablate); delete it to measure again
  --seeds N              trainings of each setting (default 1)
  --steps N              optimiser steps of every training in a cell
  --stimuli A,B          numbers of training stimuli in place of the experiment's own
  --hidden N             width of both brain networks (default: the toy's, 512 and 768)
  --held-out N           held-out stimuli (default 600)
  --pairs N              pairs painted in each test (default 60)
  --painting-steps N     denoising steps of a painting (default 25)
  --pool N               encoded pictures to train diffusion on (default 3000)
  --width N              channels of the UNet's outermost level in short trainings (default 32; the toy's is 64)
  --threads N            threads within one op (default: one a core)
  --list                 names the experiments
`;

function wholeNumber(field: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1e6)
    throw new AppError('BAD_INPUT', `--${field} must be a whole number from 1 to 1000000, it is "${text}"`, {
      field,
    });
  return value;
}

function parseOptions() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        bundle: { type: 'string', default: 'models/toy' },
        judge: { type: 'string', default: 'models/judge/model.onnx' },
        photographs: { type: 'string', multiple: true, default: [] },
        folder: { type: 'string', default: 'runs/ablate' },
        seeds: { type: 'string', default: '1' },
        steps: { type: 'string' },
        stimuli: { type: 'string' },
        hidden: { type: 'string' },
        'held-out': { type: 'string', default: '600' },
        pairs: { type: 'string', default: '60' },
        'painting-steps': { type: 'string', default: '25' },
        pool: { type: 'string', default: '3000' },
        width: { type: 'string', default: '32' },
        threads: { type: 'string' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (cause) {
    throw new AppError('BAD_INPUT', (cause as Error).message, { cause });
  }
}

function readOptions(): { experiment: Experiment; options: Options } | undefined {
  const { values, positionals } = parseOptions();
  if (values.list || values.help) {
    process.stdout.write(values.help ? HELP : `${list()}\n`);
    return undefined;
  }
  const experiment = EXPERIMENTS.find(({ name }) => name === positionals[0]);
  if (!experiment || positionals.length > 1) {
    const given = positionals.length > 0 ? `"${positionals.join(' ')}" is none of them` : 'none was given';
    throw new AppError('BAD_INPUT', `name one experiment (${given}):\n${list()}`, { field: 'experiment' });
  }
  const options: Options = {
    folder: values.folder,
    bundle: values.bundle,
    judge: values.judge,
    photographs: values.photographs,
    seeds: wholeNumber('seeds', values.seeds),
    heldOut: wholeNumber('held-out', values['held-out']),
    pairs: wholeNumber('pairs', values.pairs),
    paintingSteps: wholeNumber('painting-steps', values['painting-steps']),
    pool: wholeNumber('pool', values.pool),
    width: wholeNumber('width', values.width),
    ...(values.steps ? { steps: wholeNumber('steps', values.steps) } : {}),
    ...(values.hidden ? { hidden: wholeNumber('hidden', values.hidden) } : {}),
    ...(values.threads ? { threads: wholeNumber('threads', values.threads) } : {}),
    ...(values.stimuli
      ? { stimuli: values.stimuli.split(',').map((text) => wholeNumber('stimuli', text)) }
      : {}),
    say: (line) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`),
  };
  return { experiment, options };
}

const titleOf = ({ about }: Experiment) => about[0]!.toUpperCase() + about.slice(1);

async function run(experiment: Experiment, options: Options): Promise<void> {
  const { folder, seeds } = options;
  const cells = await experiment.cells(options);
  const finished = await runCells(
    folder,
    experiment.name,
    cells,
    () => experiment.open(options),
    options.say,
  );
  const rows = rowsOverSeeds(finished);
  const command = `npm run ablate -- ${process.argv.slice(2).join(' ')}`;
  const table = `${markdownTable(experiment, rows)}\n\n${intervalNote(seeds)} Command: \`${command}\`.\n`;
  const paths = {
    table: join(folder, experiment.name, 'table.md'),
    plot: join(folder, experiment.name, 'plot.svg'),
  };
  await mkdir(join(folder, experiment.name), { recursive: true });
  await writeFile(paths.table, table);
  await writeFile(paths.plot, drawFigure(titleOf(experiment), experiment.panels(rows)));
  process.stdout.write(`${table}\n`);
  const summary = finished.map(({ name, settings, figures, seconds, path }) => ({
    name,
    settings,
    figures,
    seconds: Math.round(seconds),
    path,
  }));
  process.stdout.write(`${JSON.stringify({ experiment: experiment.name, ...paths, cells: summary })}\n`);
}

async function main(): Promise<void> {
  const asked = readOptions();
  if (asked) await run(asked.experiment, asked.options);
}

await main().catch(endProgram);
