// `studies preset`: the paper's study from what a lab has: a benchmark of 100 pictures and 100 signals, painted, frozen, designed.

import { Argument, type Command, Option } from 'commander';
import {
  type BenchmarkStatus,
  type CreateBenchmarkInput,
  MindPainterError,
  paintedCount,
  type StudyStatus,
} from '../../sdk/client.js';
import { EXIT, UsageError } from '../failures.js';
import { parseMethod } from '../job-table.js';
import { createParts, keyOf, numberOf, parseShape } from '../parts.js';
import { type Cli, leaf, run } from '../run.js';
import { chooseImages, chooseSignals, PAIRS } from '../study-supplies.js';

/** Raters see it: it names no method. */
const DEFAULT_NAME = 'Rating of paintings';
/** failedJobs of a benchmark tells no more at once. */
const FAILED_AT_ONCE = 100;

interface PresetOptions {
  readonly name: string;
  readonly benchmark?: string;
  readonly images?: string;
  readonly trials?: string;
  readonly average?: boolean;
  readonly subject?: string;
  readonly model?: string;
  readonly against: string;
  readonly mask: string;
  readonly steps?: string;
  readonly guidanceScale?: string;
  readonly seed?: string;
  readonly arms?: string;
  readonly criterion: readonly string[];
  readonly retry?: boolean;
  /** False with --no-wait. */
  readonly wait: boolean;
}

async function createBenchmark(cli: Cli, options: PresetOptions): Promise<BenchmarkStatus> {
  const { mp, out, signal, goesOn } = cli;
  const maskShape = parseShape(options.mask);
  if (!maskShape)
    throw new UsageError(`--mask ${options.mask}: give a shape, such as rectangle:0.25,0.25,0.5,0.5`);
  let method: ReturnType<typeof parseMethod>;
  try {
    method = parseMethod(options.against);
  } catch (error) {
    throw new UsageError(`--against: ${(error as Error).message}`);
  }
  if (method === 'BRAIN') throw new UsageError('--against brain: the first arm is that; name another method');
  const steps = numberOf(options.steps, 'steps');
  const guidanceScale = numberOf(options.guidanceScale, 'guidance-scale');
  const seed = numberOf(options.seed, 'seed') ?? 0;
  goesOn('nothing was submitted; what was uploaded is stored, and the same command again is safe');
  const parts = createParts(mp, signal);
  const model = await mp.models.find(await parts.model(options.model, options.subject), { signal });
  const signals = await chooseSignals(cli, options.subject ?? model.subjectLabel, options);
  const imageIds = await chooseImages(cli, parts, options.images);
  const arm = {
    modelId: model.id,
    ...(steps === undefined ? {} : { steps }),
    ...(guidanceScale === undefined ? {} : { guidanceScale }),
  };
  const request: CreateBenchmarkInput = {
    name: options.name,
    imageIds,
    signals,
    seed,
    maskShape,
    arms: [
      { name: 'mindpainter', method: 'BRAIN', ...arm },
      { name: method.toLowerCase().replaceAll('_', '-'), method, ...arm },
    ],
  };
  goesOn('the benchmark may or may not have been stored; the same command again gives the same one');
  const benchmark = await mp.benchmarks.create({ ...request, idempotencyKey: keyOf(request) }, { signal });
  out.note(
    `${benchmark.progress.total} paintings of ${benchmark.itemCount} pairs are ordered in ${benchmark.id}`,
  );
  return benchmark;
}

/** A benchmark that the preset can be made of, before it is waited for and frozen. Throws BAD_INPUT. */
async function findBenchmark({ mp, signal }: Cli, id: string, arms?: string): Promise<BenchmarkStatus> {
  const found = await mp.benchmarks.get(id, { signal });
  const bad = (field: string, message: string) => new MindPainterError('BAD_INPUT', message, { field });
  if (found.itemCount !== PAIRS)
    throw bad('benchmark', `the paper's study takes ${PAIRS} pairs; this benchmark has ${found.itemCount}`);
  if (arms === undefined && found.arms.length !== 2)
    throw bad('arms', `name two arms to compare with --arms; there are ${namesOf(found.arms)}`);
  return found;
}

/** Orders the failed jobs once more, all of them. */
async function retryFailed({ mp, out, signal }: Cli, { id, progress }: BenchmarkStatus): Promise<void> {
  for (let left = progress.failed; left > 0; left -= FAILED_AT_ONCE) {
    const failed = await mp.benchmarks.failedJobs(id, { signal });
    if (failed.length === 0) return;
    await mp.jobs.retry({ ids: failed.map((job) => job.id) }, { signal });
    out.note(`${failed.length} failed paintings are ordered once more`);
  }
}

function parseCriteria(given: readonly string[]) {
  if (given.length !== 0 && given.length !== 3)
    throw new UsageError(`the paper's study has three criteria; --criterion is given ${given.length} times`);
  return given.map((text) => {
    const [, name, question] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (!name || !question) throw new UsageError(`--criterion ${text}: give NAME=QUESTION`);
    return { name: name.trim(), question: question.trim() };
  });
}

/** The command that goes on with a benchmark, with what the study is still to be made of. */
function goOnWith(id: string, { name, arms, criterion }: PresetOptions): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  return [
    `mindpainter studies preset mindpainter --benchmark ${id}`,
    ...(name === DEFAULT_NAME ? [] : [`--name ${quoted(name)}`]),
    ...(arms === undefined ? [] : [`--arms ${quoted(arms)}`]),
    ...criterion.map((text) => `--criterion ${quoted(text)}`),
  ].join(' ');
}

/** The study of this name that the benchmark has already, so that the command can be given again; else a new one. */
async function findOrCreateStudy(
  { mp, signal }: Cli,
  benchmarkId: string,
  { name, arms, criterion }: PresetOptions,
): Promise<StudyStatus> {
  for await (const study of mp.studies.list({ signal }))
    if (study.benchmark.id === benchmarkId && study.name === name)
      return mp.studies.get(study.id, { signal });
  const criteria = parseCriteria(criterion);
  return mp.studies.create(
    {
      name,
      benchmarkId,
      preset: 'MINDPAINTER',
      ...(arms === undefined ? {} : { arms: arms.split(',').map((arm) => arm.trim()) }),
      ...(criteria.length === 0 ? {} : { criteria }),
    },
    { signal },
  );
}

/** What is read of a protocol, to say what was made. */
interface Shape {
  readonly items: readonly unknown[];
  readonly arms: readonly { readonly name: string }[];
  readonly criteria: readonly { readonly name: string }[];
  readonly raters: number;
  readonly groups: number;
}

const namesOf = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).join(', ');

async function preset(cli: Cli, options: PresetOptions): Promise<number> {
  const { mp, out, signal, goesOn } = cli;
  parseCriteria(options.criterion);
  const made = options.benchmark
    ? await findBenchmark(cli, options.benchmark, options.arms)
    : await createBenchmark(cli, options);
  const { id } = made;
  const again = goOnWith(id, options);
  goesOn(`${id} goes on without this command`, `go on with it:  ${again}`);
  if (options.retry) await retryFailed(cli, made);
  const now = options.wait
    ? await mp.benchmarks.wait(id, {
        signal,
        onLost: () => out.note('the connection was lost; waiting for the server'),
        onProgress: (status) => out.progress('paintings', paintedCount(status), status.progress.total),
      })
    : await mp.benchmarks.get(id, { signal });
  out.endProgress();
  const { total, succeeded, failed } = now.progress;
  if (paintedCount(now) < total) {
    out.data({ benchmark: now, study: null, next: again }, id);
    out.note(`${succeeded} of ${total} are painted; go on with it: ${again}`);
    return EXIT.ok;
  }
  if (failed > 0) {
    const [job] = await mp.benchmarks.failedJobs(id, { signal });
    out.fault(
      `${failed} of ${total} paintings failed: ${job?.error?.message ?? job?.state ?? 'no reason is known'}`,
    );
    out.fault(`order them once more: ${again} --retry`);
    out.data({ benchmark: now, study: null, next: `${again} --retry` }, id);
    return EXIT.failure;
  }
  const benchmark = await mp.benchmarks.freeze(id, { signal });
  const study = await findOrCreateStudy(cli, id, options);
  const { protocol } = await mp.studies.design(study.id, { signal });
  const { items, arms, criteria, raters, groups } = protocol as Shape;
  const next = `mindpainter studies pilot ${study.id}`;
  out.note(
    `${study.name}: ${items.length} pairs, ${arms.length} arms (${namesOf(arms)}), ${criteria.length} criteria`,
  );
  out.note(`(${namesOf(criteria)}), ${raters} raters in ${groups} groups; the benchmark ${id} is frozen`);
  const shape = { pairs: items.length, arms: arms.length, criteria: criteria.length, raters, groups };
  out.data({ benchmark, study, shape, next }, study.id);
  out.note(`next: ${next}`);
  return EXIT.ok;
}

/** Options of a benchmark that is to be made. */
const OF_A_NEW_ONE = [
  'images',
  'trials',
  'average',
  'subject',
  'model',
  'against',
  'mask',
  'steps',
  'guidanceScale',
  'seed',
];
const several = (value: string, before: readonly string[]) => [...before, value];

export function addPreset(studies: Command): void {
  leaf(
    studies
      .command('preset')
      .addArgument(
        new Argument('<preset>', "the paper's: 100 pairs, 2 arms, 3 criteria, 20 raters, 5 groups").choices([
          'mindpainter',
        ]),
      ),
    'makes a known study of what the lab has: paints, waits, freezes, designs',
    [
      'mindpainter studies preset mindpainter --model toy',
      'mindpainter studies preset mindpainter --images pictures/ --subject 01 --average --against no-brain',
      'mindpainter studies preset mindpainter --no-wait',
      'mindpainter studies preset mindpainter --benchmark Benchmark_...',
    ],
  )
    .option(
      '--images <list>',
      'a folder of pictures, a file with a picture or id a line, or ids with commas between; default: the newest 100 that are no stimulus',
    )
    .option(
      '--trials <list>',
      'a file with an id a line, or ids with commas between; default: the first 100 of the newest sessions of the subject',
    )
    .option('--average', 'a signal is the mean of all trials of a stimulus, in place of one trial')
    .option('--subject <label>', "whose trials; default: the model's subject")
    .option('--model <name>', 'name or id; may be left out where only one fits the subject')
    .option('--against <method>', 'of the second arm: two-stage, shuffled-brain or no-brain', 'two-stage')
    .option('--mask <shape>', 'what is painted of each picture, as for paint', 'rectangle:0.25,0.25,0.5,0.5')
    .option('--steps <n>', 'denoising steps')
    .option('--guidance-scale <x>', 'strength of guidance')
    .option('--seed <n>', 'of the pairing and the noise (default 0)')
    .option('--name <name>', 'of benchmark and study; raters see it', DEFAULT_NAME)
    .option(
      '--criterion <name=question>',
      'a criterion; give three, or none for realism, harmony and fidelity',
      several,
      [],
    )
    .addOption(
      new Option('--benchmark <id>', 'go on with this benchmark, in place of a new one').conflicts(
        OF_A_NEW_ONE,
      ),
    )
    .option('--arms <names>', 'with --benchmark: the two arms to compare, comma-separated, where it has more')
    .option('--retry', 'with --benchmark: order paintings that failed once more')
    .option('--no-wait', 'do not wait until all is painted')
    .action(run<PresetOptions>(preset));
}
