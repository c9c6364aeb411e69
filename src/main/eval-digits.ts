// `npm run eval:digits -- FILE`: the whole method on real fMRI, by ten-fold cross-validation. Resumes from runs/digits.

import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError, isAppError } from '../errors.js';
import { createRng } from '../random.js';
import type { StageProgress } from '../train/stage.js';
import { readDigits } from './digits/dataset.js';
import { type HeldOutTrial, runFold } from './digits/fold.js';
import { balancedDerangement, stratifiedFolds } from './digits/folds.js';
import { judgeDigits } from './digits/judge.js';
import { scoreTrials } from './digits/scores.js';
import { DIGITS, PLAN } from './digits/settings.js';
import { trainJudge, trainShared } from './digits/shared.js';
import { digitsSheet } from './digits/sheet.js';

const USAGE =
  'npm run eval:digits -- FILE.mat [--folds 10] [--folder runs/digits] [--out out/eval-digits] [--threads n]';
const started = performance.now();
let earlier = 0;
/** Of this run and of those that it goes on from. */
const minutes = () => earlier + (performance.now() - started) / 60_000;
const say = (line: string) => process.stderr.write(`${minutes().toFixed(1)} min ${line}\n`);

function wholeNumber(text: string, option: string, highest: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > highest)
    throw new AppError('BAD_INPUT', `--${option} must be a whole number from 1 to ${highest}`, {
      field: option,
    });
  return value;
}

/** What a run's folder remembers: what its checkpoints are of, and the minutes that went into them. */
interface Memory {
  readonly settings: string;
  readonly minutes: number;
}

/** Opens the folder and gives the minutes of earlier runs. Throws for checkpoints of other settings or another file. */
async function claimFolder(folder: string, settings: string): Promise<number> {
  const path = join(folder, 'run.json');
  await mkdir(folder, { recursive: true });
  if (!existsSync(path)) return 0;
  const memory: Memory = JSON.parse(await readFile(path, 'utf8'));
  if (memory.settings === settings) return memory.minutes;
  throw new AppError(
    'CONFLICT',
    `${folder} holds a run with other settings or another file; remove it or give another --folder`,
    { field: 'folder' },
  );
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      folds: { type: 'string', default: String(DIGITS.folds) },
      folder: { type: 'string', default: 'runs/digits' },
      out: { type: 'string', default: 'out/eval-digits' },
      /** Threads within one op; by default one a core. */
      threads: { type: 'string' },
    },
  });
  const [path] = positionals;
  if (!path || positionals.length > 1) throw new AppError('BAD_INPUT', `usage: ${USAGE}`, { field: 'file' });
  const count = wholeNumber(values.folds, 'folds', DIGITS.folds);
  const threads = values.threads ? { threads: wholeNumber(values.threads, 'threads', 64) } : {};
  const file = await readFile(path).catch((cause) => {
    throw new AppError('NOT_FOUND', `${path} cannot be read; docs/guides/digits.md says where to get it`, {
      field: 'file',
      cause,
    });
  });
  const data = readDigits(file);
  const settings = createHash('sha256').update(file).update(JSON.stringify({ DIGITS, PLAN })).digest('hex');
  earlier = await claimFolder(values.folder, settings);
  const remember = () =>
    writeFileSync(
      join(values.folder, 'run.json'),
      JSON.stringify({ settings, minutes: minutes() } satisfies Memory),
    );
  remember();
  say(
    `${data.stimuli.length} trials, ${data.voxels} voxels, ${data.painterDigits.length} digits to paint with`,
  );

  let prefix = '';
  const reportEvery = 100;
  let reported = minutes();
  const onProgress = ({ stage, step, steps, loss, samplesPerSecond }: StageProgress) => {
    const left = ((minutes() - reported) * (steps - step)) / reportEvery;
    reported = minutes();
    const rest = step < steps ? `, about ${left.toFixed(1)} min left of it` : '';
    say(`${prefix}${stage} ${step}/${steps} loss ${loss.toFixed(4)} ${samplesPerSecond.toFixed(0)}/s${rest}`);
    remember();
  };
  const run = { folder: values.folder, onProgress, reportEvery, ...threads };
  const judge = await trainJudge(data, run);
  const seen = await judgeDigits(judge, data.stimuli);
  const judgeAccuracyOnRealDigits = seen.filter((digit, t) => digit === data.labels[t]).length / seen.length;
  say(`judge on the ${seen.length} real digits: ${judgeAccuracyOnRealDigits}`);
  const shared = await trainShared(data, run);

  const rng = createRng(DIGITS.seed + 900);
  const folds = stratifiedFolds(data.labels, DIGITS.folds, rng).map((heldOut, index) => {
    // A fold of five and five has an even number of such donors: four and six in turn make half.
    const sameDigit = heldOut.length / 2 + (index % 2 ? 1 : -1);
    return { index, heldOut, donors: balancedDerangement(heldOut, data.labels, sameDigit, rng) };
  });
  const results: HeldOutTrial[] = [];
  const rows: { result: HeldOutTrial; folder: string }[] = [];
  const before = minutes();
  for (const fold of folds.slice(0, count)) {
    const folder = join(values.folder, `fold-${fold.index + 1}`);
    prefix = `fold ${fold.index + 1}/${count} `;
    const held = await runFold(data, shared, judge, fold, { ...run, folder });
    remember();
    results.push(...held);
    // Held-out trials stand sixes first: the outermost show both digits.
    rows.push(...[held[0]!, held.at(-1)!].map((result) => ({ result, folder })));
    const { fullMaskAccuracy, retrievalTwoWay } = scoreTrials(
      results,
      data.labels,
      shared.stimulusEmbeddings,
    );
    const left = ((minutes() - before) / (fold.index + 1)) * (count - fold.index - 1);
    say(
      `${prefix}done: so far full ${fullMaskAccuracy.toFixed(3)}, two-way ${retrievalTwoWay.toFixed(3)}; ` +
        `about ${left.toFixed(1)} min left`,
    );
  }
  await judge.close();
  await mkdir(values.out, { recursive: true });
  const sheet = join(values.out, 'sheet.png');
  await writeFile(sheet, await digitsSheet(data, rows));
  say(`wrote ${sheet}`);
  const scores = scoreTrials(results, data.labels, shared.stimulusEmbeddings);
  process.stdout.write(
    `${JSON.stringify({ ...scores, judgeAccuracyOnRealDigits, folds: count, minutes: Number(minutes().toFixed(1)) })}\n`,
  );
}

await main().catch((error: unknown) => {
  const option = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ?? false;
  if (!isAppError(error) && !option) throw error;
  process.stderr.write(`${(error as Error).message}\n${option ? `usage: ${USAGE}\n` : ''}`);
  process.exitCode = 1;
});
