// `batch submit` and `results download`.

import { randomUUID } from 'node:crypto';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Job, MindPainterError, type Painting, type PaintJobFieldsInput } from '../../sdk/client.js';
import { LineFaults, UsageError } from '../failures.js';
import { COLUMNS, checkEach, type JobRow, readJobTable } from '../job-table.js';
import { createParts, keyOf } from '../parts.js';
import { type Cli, leaf, run } from '../run.js';
import { followBatch } from './watch.js';

interface SubmitOptions {
  readonly key?: string;
  readonly again?: boolean;
  readonly priority?: string;
  readonly startWithin?: string;
  readonly watch?: boolean;
}

async function submit(cli: Cli, options: SubmitOptions, file: string): Promise<unknown> {
  const { mp, out, signal, goesOn } = cli;
  const rows = await readJobTable(file);
  goesOn('nothing was submitted');
  const parts = createParts(mp, signal);
  let looked = 0;
  const jobs = await checkEach(file, rows, async (row: JobRow): Promise<PaintJobFieldsInput> => {
    signal.throwIfAborted();
    out.progress('lines looked at', looked++, rows.length);
    const modelId = await parts.model(row.model, row.subject);
    const trialIds = [...(row.trials ?? (await parts.trials(row.subject!, row.stimulus!)))];
    const imageId = await parts.image(row.image);
    return { imageId, maskId: await parts.mask(imageId, row.mask), modelId, trialIds, ...row.settings };
  });
  out.endProgress();
  const request = {
    axes: [jobs],
    ...(options.priority === undefined ? {} : { priority: Number(options.priority) }),
    ...(options.startWithin === undefined ? {} : { startWithinSeconds: Number(options.startWithin) }),
  };
  const idempotencyKey = options.key ?? (options.again ? `cli-${randomUUID()}` : keyOf(request));
  goesOn('the batch may or may not have been stored; the same command again gives the same jobs, none twice');
  const batch = await mp.jobs.submitBatch({ ...request, idempotencyKey }, { signal }).catch((error) => {
    const byLine =
      error instanceof MindPainterError ? error.errors.filter(({ index }) => index !== null) : [];
    if (byLine.length === 0) throw error;
    const faults = byLine.map(({ index, field, message }) => ({
      line: rows[index!]!.line,
      field: field ?? undefined,
      message,
    }));
    throw new LineFaults(file, faults);
  });
  out.note(`${batch.jobCount} jobs are in ${batch.id}`);
  if (options.watch) return followBatch(cli, batch.id);
  out.data(batch, batch.id);
  return out.note(`watch them: mindpainter watch ${batch.id}`);
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

interface Result {
  readonly job: Job;
  readonly painting: Painting;
}

async function* resultsOf({ mp, signal }: Cli, ids: readonly string[]): AsyncGenerator<Result, void> {
  for (const id of ids) {
    if (id.startsWith('PaintJobBatch_')) await mp.jobs.getBatch(id, { signal });
    const jobs = id.startsWith('PaintJobBatch_')
      ? mp.jobs.list({ batchId: id, state: 'SUCCEEDED' }, { signal })
      : [await mp.jobs.get(id, { signal })];
    for await (const job of jobs) for (const painting of job.paintings) yield { job, painting };
  }
}

/** Files that are there are whole; they are not fetched again. */
async function download(cli: Cli, { out: folder }: { out: string }, ids: readonly string[]): Promise<void> {
  const { mp, out, signal, goesOn } = cli;
  const other = ids.find((id) => !/^PaintJob(Batch)?_/.test(id));
  if (other) throw new MindPainterError('NOT_FOUND', `${other} is the id of no job or batch`);
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw new MindPainterError('LOCAL_FILE', `cannot make the folder ${folder}: ${cause.message}`, { cause });
  });
  goesOn('every file that is there is whole; the same command again fetches the rest');
  const rows: { file: string; jobId: string; paintingId: string; method: string; seed: number }[] = [];
  let fetched = 0;
  for await (const { job, painting } of resultsOf(cli, ids)) {
    signal.throwIfAborted();
    const file = join(folder, `${job.id}-${painting.index}.png`);
    if (!(await exists(file))) {
      await mp.downloads.save(painting, file, { signal });
      fetched += 1;
    }
    rows.push({ file, jobId: job.id, paintingId: painting.id, method: job.method, seed: job.seed });
    if (!process.stderr.isTTY && fetched % 100 !== 0) continue;
    out.progress('paintings', rows.length, rows.length);
  }
  out.endProgress();
  out.data(
    rows,
    rows.map(({ file }) => file),
  );
  out.note(`${rows.length} paintings, ${fetched} of them fetched now`);
}

export function addBatch(program: Command): void {
  const batch = program.command('batch').description('many jobs at once');
  leaf(
    batch.command('submit').argument('<file>', '.csv, .tsv or .jsonl; a line a job'),
    'submits a file of jobs, all or none',
    ['mindpainter batch submit jobs.csv --watch', 'mindpainter batch submit jobs.jsonl --priority -5 --json'],
  )
    .option(
      '--key <key>',
      'idempotency key; by default it is drawn from the jobs, so that the same file is the same batch',
    )
    .option('--again', 'the same jobs once more, as new ones')
    .option('--priority <n>', '-10 to 10; higher is served first')
    .option('--start-within <seconds>', 'a job that has not started by then is aborted')
    .option('--watch', 'follow them to their end')
    .addHelpText(
      'after',
      `\nColumns: ${COLUMNS.join(', ')}.\nA mask is a shape such as ellipse:0.3,0.3,0.4,0.4, a file or an id; trials are ids with spaces between, in place of subject and stimulus.`,
    )
    .action(
      run<SubmitOptions>(async (cli, options, file: string) => {
        for (const name of ['priority', 'startWithin'] as const)
          if (options[name] !== undefined && !Number.isFinite(Number(options[name])))
            throw new UsageError(`${options[name]} is not a number`);
        return submit(cli, options, file);
      }),
    );

  const results = program.command('results').description('what came of jobs');
  leaf(
    results.command('download').argument('<id...>', 'of jobs or batches'),
    'writes all finished paintings into a folder',
    ['mindpainter results download PaintJobBatch_... --out paintings'],
  )
    .requiredOption('--out <folder>', 'made if it is not there; files that are there stay')
    .action(run(download));
}
