// `npm run bench:beside`: what a training run costs those who use the API meanwhile. The same queries and paint jobs with
// the worker at rest and with a training run under way, on one server. Ends with one JSON line.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../src/config.js';
import { writeNpy } from '../src/fmri/npy.js';
import { encodePng } from '../src/imaging/decode.js';
import { createLog } from '../src/log.js';
import { startPlatform } from '../src/main/platform.js';
import { createRng } from '../src/random.js';
import { MindPainter } from '../src/sdk/client.js';
import { drawPhotographSizeScene } from '../src/toy/photograph-scene.js';

const QUERIES = 200;
const JOBS = 4;

const quantile = (values: readonly number[], q: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))]!;
const round = (value: number) => Number(value.toFixed(1));
const program = (path: string, args: readonly string[]) => ['--import', 'tsx', path, ...args];

const dataDir = await mkdtemp(join(tmpdir(), 'mindpainter-bench-'));
const sessions = join(dataDir, 'sessions');
execFileSync(process.execPath, program('src/main/toy-sessions.ts', ['--stimuli', '300', '--out', sessions]));
const platform = await startPlatform(
  { ...loadConfig(), dataDir, host: '127.0.0.1', secret: undefined, port: 0 },
  createLog('warn'),
);
let training: ChildProcess | undefined;
const mp = new MindPainter({ url: platform.url });
try {
  /** Starts a run that outlasts the measurement; resolves when its first progress is there. */
  async function startTraining(): Promise<void> {
    const session = ['01', '02', '03'].flatMap((label) => [
      '--session',
      `${label}=${join(sessions, `ses-${label}.npy`)},${join(sessions, `ses-${label}.csv`)}`,
    ]);
    const args = ['--server', platform.url, '--subject', '01', '--simulated', ...session];
    const rest = [
      '--stimuli',
      join(sessions, 'stimuli'),
      '--base',
      'toy',
      '--part',
      'pseudo_brain_generator',
    ];
    training = spawn(
      process.execPath,
      program('src/cli/main.ts', ['train', ...args, ...rest, '--set', 'pseudoBrainGenerator.steps=100000']),
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    training.on('exit', (code) => {
      if (code) process.stderr.write(`the training ended with ${code}\n`);
    });
    for (;;) {
      const { trainingRuns } = await mp.query<{
        trainingRuns: { nodes: { step: number }[] };
      }>('{ trainingRuns(first: 1) { nodes { step } } }');
      if ((trainingRuns.nodes[0]?.step ?? 0) > 0) return;
      if (training.exitCode !== null) throw new Error('the training did not start');
      await sleep(500);
    }
  }

  const { value: model } = await mp.models.list().next();
  if (!model) throw new Error('no model is registered');
  const { id: subjectId } = await mp.subjects.create('01', { simulated: true });
  const session = await mp.subjects.importSession({
    subjectId,
    label: '09',
    betas: writeNpy(createRng(2).fillNormal(new Float32Array(model.voxels)), [1, model.voxels]),
    trials: Buffer.from('stimulus\na\n'),
  });
  const { value: trial } = await mp.subjects.trials({ sessionId: session.id }).next();
  const { id: imageId } = await mp.images.upload(
    await encodePng(drawPhotographSizeScene(createRng(3), 768, 512)),
  );
  const box = { left: 0.3, top: 0.2, width: 0.4, height: 0.6 };
  const { id: maskId } = await mp.masks.create({ imageId, shape: 'RECTANGLE', ...box });
  const parts = { imageId, maskId, modelId: model.id, trialIds: [trial!.id] };

  /** Milliseconds of the job list's first page, one query after another. */
  async function queries(): Promise<{ p50: number; p95: number }> {
    const times: number[] = [];
    for (let i = 0; i < QUERIES; i++) {
      const start = performance.now();
      await mp.query(
        '{ paintJobs(first: 20) { nodes { id state paintings { id url } sourceImage { id } } } }',
      );
      times.push(performance.now() - start);
    }
    return { p50: round(quantile(times, 0.5)), p95: round(quantile(times, 0.95)) };
  }
  /** Seconds of a paint job, from submit to stored. */
  async function paintSeconds(from: number): Promise<number> {
    const times: number[] = [];
    for (let seed = from; seed < from + JOBS; seed++) {
      const start = performance.now();
      const { id } = await mp.jobs.submit({ ...parts, seed, paintingCount: 4 });
      await mp.jobs.wait(id);
      times.push((performance.now() - start) / 1000);
    }
    return Number(quantile(times, 0.5).toFixed(2));
  }

  await paintSeconds(0);
  await queries();
  const rest = { queries: await queries(), paint: await paintSeconds(100) };
  await startTraining();
  const beside = { queries: await queries(), paint: await paintSeconds(200) };
  process.stdout.write(
    `${JSON.stringify({
      queryP50Ms: rest.queries.p50,
      queryP95Ms: rest.queries.p95,
      queryP50BesideMs: beside.queries.p50,
      queryP95BesideMs: beside.queries.p95,
      paintSeconds: rest.paint,
      paintBesideSeconds: beside.paint,
    })}\n`,
  );
} finally {
  if (training && training.exitCode === null) {
    training.kill('SIGKILL');
    await once(training, 'exit');
  }
  await mp.close();
  await platform.stop();
  await rm(dataDir, { recursive: true, force: true });
}
process.exit(0);
