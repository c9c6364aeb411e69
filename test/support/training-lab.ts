// A lab with a subject's sessions and stimuli, a base model, and a real worker that can be killed: for training runs.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect } from 'vitest';
import { writeNpy } from '../../src/fmri/npy.js';
import { describeBundle } from '../../src/main/platform.js';
import { createRng } from '../../src/random.js';
import { registerModel } from '../../src/services/models.js';
import { type Lab, startLab } from './lab.js';
import { TINY, writeTinyBundle } from './tiny-bundle.js';

export interface Run {
  readonly id: string;
  readonly state: string;
  readonly stage: string | null;
  readonly step: number;
  readonly steps: number;
  readonly excludedVoxels: number | null;
  readonly heldOutStimuli: string[];
  readonly trainingStimuli: string[];
  readonly error: {
    code: string;
    message: string;
    field: string | null;
    stage: string | null;
    step: number | null;
  } | null;
  readonly attempts: { number: number; outcome: string | null }[];
  readonly points: { stage: string; name: string; step: number; value: number }[];
  readonly metrics: {
    name: string;
    signals: string | null;
    value: number | null;
    low: number | null;
    high: number | null;
    ceiling: number | null;
    chance: number | null;
    stimuli: number;
    undefinedReason: string | null;
  }[];
  readonly provenance: Record<string, unknown> | null;
  readonly settings: Record<string, unknown>;
  readonly model: { id: string; name: string; hash: string } | null;
}

const RUN = `id state stage step steps excludedVoxels heldOutStimuli trainingStimuli error { code message field stage step }
  attempts { number outcome } points { stage name step value }
  metrics { name signals value low high ceiling chance stimuli undefinedReason } provenance settings model { id name hash }`;

/** Hyper-parameters under which a whole run takes a second or two. */
export const SMALL = {
  checkpointEvery: 5,
  pseudoBrainGenerator: { steps: 20, batch: 4, hidden: 16, blocks: 1 },
  brainAdapter: { steps: 20, batch: 4, hidden: 16, blocks: 1 },
  diffusion: { steps: 10, batch: 4, poolSize: 8 },
  judge: { steps: 6, batch: 4, leastPictures: 1, paintedTrials: 2 },
};

export interface UserError {
  readonly code: string;
  readonly message: string;
  readonly field: string | null;
}

export interface TrainingLab {
  readonly lab: Lab;
  readonly subjectId: string;
  readonly baseModelId: string;
  /** Sends a mutation of one `input`; gives its payload. */
  mutate(
    name: string,
    type: string,
    fields: string,
    input: object,
    files?: object,
  ): Promise<Record<string, unknown>>;
  /** Imports a session of `stimuli` x `repetitions` trials; returns its id. */
  importSession(label: string, stimuli: readonly string[], options?: SessionOptions): Promise<string>;
  uploadPicture(seed: number): Promise<string>;
  /** Creates a run of SMALL settings and returns its id, or the errors. */
  create(change?: object): Promise<{ id: string; errors: UserError[] }>;
  read(id: string): Promise<Run>;
  until(id: string, wanted: (run: Run) => boolean, timeoutMs?: number): Promise<Run>;
  ask(action: 'pause' | 'resume' | 'cancel', id: string): Promise<UserError[]>;
  startWorker(shellPrefix?: string): Promise<ChildProcess>;
  stop(worker: ChildProcess, signal?: NodeJS.Signals): Promise<void>;
  workFolder(id: string): string;
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly repetitions?: number;
  readonly voxels?: number;
  readonly seed?: number;
  /** Voxels that never change. */
  readonly constant?: readonly number[];
  /** A category for each stimulus: a column of the table. */
  readonly labels?: readonly string[];
}

/** A session in which each stimulus has its own pattern under noise. */
export function sessionFiles(stimuli: readonly string[], options: SessionOptions = {}) {
  const { repetitions = 2, voxels = TINY.voxels, seed = 1, constant = [], labels } = options;
  const rng = createRng(seed);
  const patterns = stimuli.map((_, i) => createRng(500 + i).fillNormal(new Float32Array(voxels)));
  const rows: string[] = [labels ? 'stimulus,label' : 'stimulus'];
  const betas = new Float32Array(stimuli.length * repetitions * voxels);
  for (let trial = 0; trial < stimuli.length * repetitions; trial++) {
    const stimulus = trial % stimuli.length;
    rows.push(labels ? `${stimuli[stimulus]},${labels[stimulus]}` : stimuli[stimulus]!);
    for (let v = 0; v < voxels; v++) {
      betas[trial * voxels + v] = constant.includes(v) ? 3 : patterns[stimulus]![v]! + 0.5 * rng.normal();
    }
  }
  return {
    'input.betas': { name: 'betas.npy', bytes: writeNpy(betas, [stimuli.length * repetitions, voxels]) },
    'input.trials': { name: 'trials.csv', bytes: Buffer.from(`${rows.join('\n')}\n`) },
  };
}

/** A small picture of noise. */
export function picturePng(seed: number): Promise<Buffer> {
  const rng = createRng(900 + seed);
  const pixels = Uint8Array.from({ length: 24 * 20 * 3 }, () => rng.int(256));
  return sharp(pixels, { raw: { width: 24, height: 20, channels: 3 } })
    .png()
    .toBuffer();
}

/** Categories of STIMULI. */
export const LABELS = ['cat', 'dog', 'cat', 'dog', 'cat', 'dog', 'cat', 'dog'];
export const STIMULI = Array.from({ length: 8 }, (_, i) => `picture-${i}`);

export async function startTrainingLab(): Promise<TrainingLab> {
  const lab = await startLab({ describeBundle });
  const workers = new Set<ChildProcess>();
  const folder = join(lab.folder, 'base');
  await writeTinyBundle(folder, { trainable: true });
  const base = await registerModel(lab.services, await describeBundle(folder));

  const self: TrainingLab = {
    lab,
    subjectId: '',
    baseModelId: `Model_${base.id}`,
    async mutate(name, type, fields, input, files = {}) {
      const query = `mutation($input: ${type}!) { ${name}(input: $input) { ${fields} userErrors { code message field } } }`;
      const { data, errors } = await lab.send(query, { input }, files as never);
      expect(errors).toBeUndefined();
      return data![name] as Record<string, unknown>;
    },
    async importSession(label, stimuli, options = {}) {
      const { subjectId } = self;
      const payload = await self.mutate(
        'importFmriSession',
        'ImportFmriSessionInput',
        'fmriSession { id }',
        { subjectId, label, betas: null, trials: null },
        sessionFiles(stimuli, options),
      );
      expect(payload.userErrors).toEqual([]);
      return (payload.fmriSession as { id: string }).id;
    },
    async uploadPicture(seed) {
      const payload = await self.mutate(
        'uploadSourceImage',
        'UploadSourceImageInput',
        'sourceImage { id }',
        { file: null },
        { 'input.file': { name: 'a.png', bytes: await picturePng(seed) } },
      );
      return (payload.sourceImage as { id: string }).id;
    },
    async create(change = {}) {
      const { subjectId, baseModelId } = self;
      const input = { subjectId, baseModelId, heldOutFraction: 0.4, settings: SMALL, ...change };
      const payload = await self.mutate(
        'createTrainingRun',
        'CreateTrainingRunInput',
        'trainingRun { id }',
        input,
      );
      const run = payload.trainingRun as { id: string } | null;
      return { id: run?.id ?? '', errors: payload.userErrors as UserError[] };
    },
    async read(id) {
      const { data, errors } = await lab.send(`query($id: ID!) { trainingRun(id: $id) { ${RUN} } }`, { id });
      expect(errors).toBeUndefined();
      return data!.trainingRun as Run;
    },
    async until(id, wanted, timeoutMs = 200_000) {
      for (const end = Date.now() + timeoutMs; ; await new Promise((done) => setTimeout(done, 50))) {
        const run = await self.read(id);
        if (wanted(run)) return run;
        if (Date.now() > end)
          throw new Error(`still ${JSON.stringify({ ...run, points: run.points.length })}`);
      }
    },
    async ask(action, id) {
      const name = `${action}TrainingRun`;
      const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
      return (await self.mutate(name, type, 'trainingRun { id state }', { id })).userErrors as UserError[];
    },
    async startWorker(shellPrefix) {
      const program = [process.execPath, '--import', 'tsx', 'src/main/worker.ts'];
      const [command, ...args] = shellPrefix
        ? ['bash', '-c', `${shellPrefix}; exec ${program.map((word) => `'${word}'`).join(' ')}`]
        : program;
      const worker = spawn(command!, args, {
        env: {
          ...process.env,
          DATABASE_URL: lab.databaseUrl,
          MINDPAINTER_DATA_DIR: lab.folder,
          TRAINING_THREADS: '1',
          LOG_LEVEL: 'error',
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      workers.add(worker);
      await once(worker.stdout!, 'data');
      return worker;
    },
    async stop(worker, signal = 'SIGTERM') {
      workers.delete(worker);
      if (worker.exitCode !== null || worker.signalCode !== null) return;
      worker.kill(signal);
      await once(worker, 'exit');
    },
    workFolder: (id) => join(lab.folder, 'training', id.replace('TrainingRun_', '')),
    async close() {
      for (const worker of workers) await self.stop(worker, 'SIGKILL');
      await lab.close();
    },
  };
  const created = await self.mutate('createSubject', 'CreateSubjectInput', 'subject { id }', {
    label: 'sub-07',
    simulated: true,
  });
  Object.assign(self, { subjectId: (created.subject as { id: string }).id });
  return self;
}

/** Links STIMULI to pictures of their own. */
export async function linkStimuli(lab: TrainingLab, names = STIMULI): Promise<void> {
  const stimuli = [];
  for (const [i, name] of names.entries()) stimuli.push({ name, imageId: await lab.uploadPicture(i) });
  const payload = await lab.mutate('linkStimuli', 'LinkStimuliInput', 'stimuli { name }', { stimuli });
  expect(payload.userErrors).toEqual([]);
}

export const ended = (run: Run) => ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(run.state);
