// `watch`: a job, a batch or a training run until it rests.

import type { Command } from 'commander';
import { type Batch, endedCount, MindPainterError, type TrainingRun } from '../../sdk/client.js';
import { EXIT } from '../failures.js';
import { type Cli, leaf, run } from '../run.js';

const onLost = (cli: Cli) => () => cli.out.note('the connection was lost; waiting for the server');

const counts = ({ stateCounts }: Batch) =>
  stateCounts.map(({ state, count }) => `${count} ${state.toLowerCase()}`).join(', ');

/** Follows a batch to its end; the exit code says whether all of it succeeded. */
export async function followBatch(cli: Cli, id: string): Promise<number> {
  const { mp, out, signal, goesOn } = cli;
  goesOn(
    `${id} goes on without this command`,
    `watch it:  mindpainter watch ${id}`,
    `fetch it:  mindpainter results download ${id} --out FOLDER`,
    `stop it:   mindpainter cancel ${id}`,
  );
  const batch = await mp.jobs.waitForBatch(id, {
    signal,
    onLost: onLost(cli),
    onProgress: (now) => out.progress('jobs ended', endedCount(now), now.jobCount),
  });
  out.endProgress();
  out.data(batch, `${id}: ${counts(batch)}`);
  return batch.stateCounts.every(({ state }) => state === 'SUCCEEDED') ? EXIT.ok : EXIT.failure;
}

/** Follows a training run until it rests: says each stage, and its loss at each twentieth. */
export async function followRun(cli: Cli, id: string): Promise<number> {
  const { mp, out, signal, goesOn } = cli;
  goesOn(
    `${id} goes on without this command`,
    `watch it:  mindpainter watch ${id}`,
    `stop it:   mindpainter cancel ${id}`,
  );
  let said = '';
  let last: TrainingRun | undefined;
  for await (const now of mp.training.watch(id, { signal, onLost: onLost(cli) })) {
    last = now;
    const { state, stage, step, steps } = now;
    const place =
      state === 'RUNNING' && stage ? `${stage} ${Math.floor((20 * step) / Math.max(1, steps))}` : state;
    if (place !== said && state === 'RUNNING' && stage) {
      const loss = await mp.training.lastLoss(id, stage, { signal });
      out.note(`${stage} ${step}/${steps}${loss === undefined ? '' : `, loss ${loss.toFixed(4)}`}`);
    } else if (place !== said) out.note(state.toLowerCase());
    said = place;
  }
  const { state, model, error } = last!;
  const why = error ? `: ${error.message}` : '';
  out.data(last, [`${id}: ${state}${why}`, ...(model ? [`model ${model.name} ${model.id}`] : [])]);
  return state === 'FAILED' || state === 'CANCELLED' ? EXIT.failure : EXIT.ok;
}

async function followJob(cli: Cli, id: string): Promise<number> {
  const { mp, out, signal, goesOn } = cli;
  goesOn(
    `${id} goes on without this command`,
    `watch it:  mindpainter watch ${id}`,
    `stop it:   mindpainter cancel ${id}`,
  );
  const watching = mp.jobs.watch(id, { signal, onLost: onLost(cli) });
  let last = (await watching.next()).value!;
  const show = () => out.progress(last.state.toLowerCase(), last.stepsDone, last.stepsTotal);
  show();
  for await (last of watching) show();
  out.endProgress();
  const why = last.error ? `: ${last.error.message}` : '';
  out.data(last, `${id}: ${last.state}${why}`);
  return last.state === 'SUCCEEDED' ? EXIT.ok : EXIT.failure;
}

export function addWatch(program: Command): void {
  leaf(
    program.command('watch').argument('<id>', 'of a job, a batch or a training run'),
    'follows it to its end, through lost connections',
    ['mindpainter watch PaintJob_...', 'mindpainter watch PaintJobBatch_... --json'],
  ).action(
    run(async (cli, _, id: string) => {
      if (id.startsWith('PaintJobBatch_')) return followBatch(cli, id);
      if (id.startsWith('TrainingRun_')) return followRun(cli, id);
      if (id.startsWith('PaintJob_')) return followJob(cli, id);
      throw new MindPainterError('NOT_FOUND', `${id} is the id of no job, batch or training run`);
    }),
  );
}
