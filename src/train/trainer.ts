// The trainer: runs the step graph, updates the flat vectors, writes and reads checkpoints that resume exactly.

import { AppError } from '../errors.js';
import { encodeModel } from '../graph/onnx.js';
import { createRng } from '../random.js';
import { floats, openSession, type Provider, type Session, type Tensor } from '../runtime/session.js';
import { createAdamwKernel, STATE_VECTORS } from './adamw-kernel.js';
import { bytesOf, readParts, writeParts } from './parts-file.js';
import type { Layout, StepGraph } from './step-graph.js';

export interface StepResult {
  readonly loss: number;
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** A loss or gradient that is no finite number; the trainer's state is still that of the step before. */
export class NotFiniteError extends Error {
  readonly step: number;
  constructor(message: string, step: number) {
    super(message);
    this.name = 'NotFiniteError';
    this.step = step;
  }
}

export interface StepOptions {
  readonly learningRate: number;
  /** Decay of the weights' exponential moving average; 0 makes it equal the weights. */
  readonly emaDecay?: number;
}

export interface Trainer {
  readonly parameterCount: number;
  stepsDone(): number;
  /** One optimiser step. Throws NotFiniteError, with the state still as before, when loss or gradient is not finite. */
  step(feeds: Readonly<Record<string, Tensor>>, options: StepOptions): Promise<StepResult>;
  /** Copies of the weights by name: as trained, or their moving average. */
  weights(which?: 'current' | 'average'): Record<string, Float32Array>;
  /** Writes a checkpoint atomically; `extra` is JSON that comes back from load. */
  save(path: string, extra?: unknown): Promise<void>;
  /** Restores a checkpoint of the same layout and returns its `extra`. */
  load(path: string): Promise<unknown>;
  close(): Promise<void>;
}

const MAGIC = 'MPCK0001';

/** Draws the initial weights into `flat`, which is all zero. */
function initialise(flat: Float32Array, layout: Layout, seed: number): void {
  const rng = createRng(seed);
  layout.parameters.forEach(({ init }, i) => {
    const start = layout.offsets[i]!;
    const part = flat.subarray(start, start + layout.sizes[i]!);
    if (init.kind === 'ones') part.fill(1);
    if (init.kind === 'normal' && init.std > 0)
      rng.fillNormal(part).forEach((x, j) => {
        part[j] = x * init.std;
      });
  });
}

/** Writes weights by name to the flat vector. Throws AppError UNSUPPORTED for a missing name or another size: weights of another network. */
function copyWeights(
  flat: Float32Array,
  layout: Layout,
  weights: Readonly<Record<string, Float32Array>>,
): void {
  layout.parameters.forEach(({ value }, i) => {
    const given = weights[value.name];
    const size = layout.sizes[i]!;
    if (given?.length !== size)
      throw new AppError(
        'UNSUPPORTED',
        `initial weights: ${value.name} has ${given?.length ?? 'no'} values, the network ${size}`,
      );
    flat.set(given, layout.offsets[i]!);
  });
}

/** Opens a session on the step graph, with weights drawn from `seed` or those given. */
export async function createTrainer(
  step: StepGraph,
  options: {
    seed: number;
    threads?: number;
    provider?: Provider;
    /** Weights of an earlier training to start from, all of them; absent: drawn from the seed. */
    initial?: Readonly<Record<string, Float32Array>>;
  },
): Promise<Trainer> {
  const { layout } = step;
  const { beta1, beta2, epsilon, weightDecay, clipNorm = Number.POSITIVE_INFINITY } = step.optimiser;
  const { threads, provider } = options;
  const session: Session = await openSession(encodeModel(step.graph, { endCopying: true }), {
    ...(threads ? { threads } : {}),
    ...(provider ? { provider } : {}),
  });
  const kernel = createAdamwKernel(layout.size);
  const { state } = kernel;
  if (options.initial) copyWeights(state.params, layout, options.initial);
  else initialise(state.params, layout, options.seed);
  state.ema.set(state.params);
  // The runtime reads weights and writes gradients where the kernel has them.
  const inPlace = (flat: Float32Array, nameOf: (i: number) => string) =>
    Object.fromEntries(
      layout.parameters.map(({ shape }, i) => {
        const start = layout.offsets[i]!;
        return [nameOf(i), floats(flat.subarray(start, start + layout.sizes[i]!), shape)];
      }),
    );
  const parameterFeeds = inPlace(state.params, (i) => layout.parameters[i]!.value.name);
  const scalarNames = ['loss', ...step.metricNames.map((name) => `metric_${name}`)];
  const scalars = Object.fromEntries(scalarNames.map((name) => [name, floats(new Float32Array(1), [])]));
  const targets = { ...scalars, ...inPlace(kernel.gradient, (i) => step.gradientNames[i]!) };
  let done = 0;

  return {
    parameterCount: layout.size,
    stepsDone: () => done,
    async step(feeds, { learningRate, emaDecay = 0 }) {
      await session.runInto({ ...feeds, ...parameterFeeds }, targets);
      const number = (name: string) => Number(scalars[name]!.data[0]);
      const loss = number('loss');
      if (!Number.isFinite(loss))
        throw new NotFiniteError(`${step.graph.name}: the loss is ${loss} at step ${done + 1}`, done + 1);
      const gradientNorm = Math.sqrt(kernel.sumOfSquares());
      // A finite loss may have an infinite slope (a root at 0): it would turn every weight into NaN.
      if (!Number.isFinite(gradientNorm))
        throw new NotFiniteError(
          `${step.graph.name}: the gradient's norm is ${gradientNorm} at step ${done + 1}`,
          done + 1,
        );
      const rates = {
        gradientScale: Math.min(1, clipNorm / (gradientNorm + 1e-6)),
        beta1,
        beta2,
        epsilon,
        stepSize: learningRate / (1 - beta1 ** (done + 1)),
        rootScale: 1 / Math.sqrt(1 - beta2 ** (done + 1)),
        // Early on the average follows closely, so that it forgets the initial weights.
        emaDecay: Math.min(emaDecay, (1 + done) / (10 + done)),
      };
      layout.parameters.forEach(({ decay }, i) => {
        const keep = decay ? 1 - learningRate * weightDecay : 1;
        kernel.update(layout.offsets[i]!, layout.sizes[i]!, { ...rates, keep });
      });
      done += 1;
      const metrics = Object.fromEntries(step.metricNames.map((name) => [name, number(`metric_${name}`)]));
      return { loss, gradientNorm, metrics };
    },
    weights(which = 'current') {
      const flat = which === 'average' ? state.ema : state.params;
      return Object.fromEntries(
        layout.parameters.map((parameter, i) => {
          const start = layout.offsets[i]!;
          return [parameter.value.name, flat.slice(start, start + layout.sizes[i]!)];
        }),
      );
    },
    async save(path, extra = null) {
      const names = layout.parameters.map((p) => `${p.value.name}[${p.shape}]`);
      const header = Buffer.from(
        JSON.stringify({ graph: step.graph.name, done, size: layout.size, names, extra }),
      );
      const length = Buffer.alloc(4);
      length.writeUInt32LE(header.length);
      const parts = STATE_VECTORS.map((name) => bytesOf(state[name]));
      await writeParts(path, [Buffer.from(MAGIC), length, header, ...parts]);
    },
    load: (path) =>
      readParts(path, async (file) => {
        const start = file.sizeBytes < 12 ? Buffer.alloc(12) : await file.read(Buffer.alloc(12));
        const headerLength = start.readUInt32LE(8);
        if (start.subarray(0, 8).toString() !== MAGIC || file.sizeBytes < 12 + headerLength)
          throw new Error(`${path} is not a checkpoint`);
        const header = JSON.parse((await file.read(Buffer.alloc(headerLength))).toString());
        const names = layout.parameters.map((p) => `${p.value.name}[${p.shape}]`);
        if (header.graph !== step.graph.name || header.names.join() !== names.join()) {
          throw new Error(
            `${path} holds a checkpoint of another network (${header.graph}, ${header.size} weights)`,
          );
        }
        // Before anything is taken over.
        if (file.sizeBytes !== 12 + headerLength + STATE_VECTORS.length * layout.size * 4)
          throw new Error(`${path} is truncated or has extra bytes`);
        for (const name of STATE_VECTORS) await file.read(state[name]);
        done = header.done;
        return header.extra;
      }),
    close: () => session.close(),
  };
}
