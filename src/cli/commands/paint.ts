// `paint` (one picture to a file) and `cancel`.

import { access, constants } from 'node:fs/promises';
import { dirname, extname, join, parse, resolve } from 'node:path';
import type { Command } from 'commander';
import { cannotWrite, MindPainterError } from '../../sdk/client.js';
import { UsageError } from '../failures.js';
import { METHODS, parseMethod } from '../job-table.js';
import { createParts, MASK_HELP, numberOf } from '../parts.js';
import { type Cli, leaf, run } from '../run.js';

interface PaintOptions {
  readonly mask: string;
  readonly subject?: string;
  readonly stimulus?: string;
  readonly trials?: string;
  readonly model?: string;
  readonly method?: string;
  readonly seed?: string;
  readonly steps?: string;
  readonly guidanceScale?: string;
  readonly count?: string;
  readonly out: string;
  readonly timeout?: string;
}

/** One painting keeps the name that was given; several are numbered. */
const pathOf = (out: string, index: number, count: number) =>
  count === 1 ? out : join(dirname(out), `${parse(out).name}-${index + 1}${extname(out)}`);

async function paint(cli: Cli, options: PaintOptions, image: string): Promise<void> {
  const { mp, out, signal, goesOn } = cli;
  const { subject, stimulus } = options;
  const given = options.trials?.split(',').filter(Boolean);
  if (!given?.length && !(subject && stimulus))
    throw new UsageError('give --subject and --stimulus, or --trials');
  const seed = numberOf(options.seed, 'seed');
  const steps = numberOf(options.steps, 'steps');
  const guidanceScale = numberOf(options.guidanceScale, 'guidance-scale');
  const paintingCount = numberOf(options.count, 'count');
  const timeoutSeconds = numberOf(options.timeout, 'timeout');
  let method: (typeof METHODS)[number] | undefined;
  try {
    method = options.method === undefined ? undefined : parseMethod(options.method);
  } catch (error) {
    throw new UsageError(`--method: ${(error as Error).message}`);
  }
  // Said before anything is painted, in the words of a download that fails.
  await access(dirname(resolve(options.out)), constants.W_OK).catch((error) => {
    throw cannotWrite(options.out, error);
  });
  goesOn('nothing was submitted');
  const parts = createParts(mp, signal);
  const modelId = await parts.model(options.model, subject);
  const trialIds = given?.length ? given : [...(await parts.trials(subject!, stimulus!))];
  const imageId = await parts.image(image);
  const maskId = await parts.mask(imageId, options.mask);
  const { id } = await mp.jobs.submit(
    { imageId, maskId, modelId, trialIds, method, seed, steps, guidanceScale, paintingCount },
    { signal },
  );
  goesOn(
    `${id} goes on without this command`,
    `watch it:  mindpainter watch ${id}`,
    `fetch it:  mindpainter results download ${id} --out FOLDER`,
    `stop it:   mindpainter cancel ${id}`,
  );
  out.note(`submitted ${id}`);
  const job = await mp.jobs.wait(id, {
    signal,
    ...(timeoutSeconds === undefined ? {} : { timeoutMs: timeoutSeconds * 1000 }),
    onLost: () => out.note('the connection was lost; waiting for the server'),
    onProgress: (now) => out.progress(now.state.toLowerCase(), now.stepsDone, now.stepsTotal),
  });
  out.endProgress();
  const files: string[] = [];
  for (const painting of job.paintings) {
    const path = pathOf(options.out, painting.index, job.paintings.length);
    await mp.downloads.save(painting, path, { signal });
    files.push(path);
  }
  out.data({ jobId: id, files, seed: job.seed, steps: job.steps, paintings: job.paintings }, files);
}

export function addPaint(program: Command): void {
  leaf(
    program.command('paint').argument('<picture>', 'picture file or id'),
    'paints a picture by a brain signal, into a file',
    [
      'mindpainter paint photo.png --subject 01 --stimulus apple --mask ellipse:0.3,0.3,0.4,0.4 --out painted.png',
      'mindpainter paint photo.png --trials Trial_...,Trial_... --mask mask.png --method two-stage --count 4 --out p.png',
    ],
  )
    .requiredOption('--mask <mask>', MASK_HELP)
    .requiredOption('--out <file>', 'PNG file to write; several paintings are numbered')
    .option('--subject <label>', 'whose signal')
    .option('--stimulus <name>', 'the signal of what: the mean of all its trials')
    .option('--trials <ids>', 'ids of the trials, comma-separated, in place of subject and stimulus')
    .option('--model <name>', 'name or id; may be left out where only one fits the subject')
    .option('--method <method>', METHODS.map((name) => name.toLowerCase().replaceAll('_', '-')).join(', '))
    .option('--seed <n>', 'seed of the noise')
    .option('--steps <n>', 'denoising steps')
    .option('--guidance-scale <x>', 'strength of guidance')
    .option('--count <n>', 'how many paintings')
    .option('--timeout <seconds>', 'stop waiting after so long; the job goes on')
    .action(run(paint));

  leaf(
    program.command('cancel').argument('<id...>', 'of jobs, batches or training runs'),
    'asks jobs to stop; a running one obeys between two steps',
    ['mindpainter cancel PaintJob_...', 'mindpainter cancel PaintJobBatch_...'],
  ).action(
    run(async ({ mp, out, signal }, _, ids: readonly string[]) => {
      for (const id of ids) {
        if (id.startsWith('PaintJobBatch_')) {
          const ended = await mp.jobs.cancelMany({ batchId: id }, { signal });
          out.data(
            { id, cancelledCount: ended },
            `${id}: ${ended} jobs that waited were cancelled; running ones stop soon`,
          );
        } else if (id.startsWith('TrainingRun_')) {
          const { state } = await mp.training.cancel(id, { signal });
          out.data({ id, state }, `${id}: ${state}`);
        } else if (id.startsWith('PaintJob_')) {
          const { state } = await mp.jobs.cancel(id, { signal });
          out.data({ id, state }, `${id}: ${state}`);
        } else throw new MindPainterError('NOT_FOUND', `${id} is the id of no job, batch or training run`);
      }
    }),
  );
}
