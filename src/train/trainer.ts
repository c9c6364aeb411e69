// The trainer: holds the flat vectors, runs the step graph, writes and reads checkpoints that resume exactly.

import { readFile, rename, writeFile } from 'node:fs/promises';
import { encodeModel } from '../graph/onnx.js';
import { floats, openSession, type Session, type Tensor } from '../runtime/session.js';
import { createRng } from './rng.js';
import type { Layout, OptimiserSettings, StepGraph } from './step-graph.js';
import { ADAMW } from './step-graph.js';

export interface StepResult {
  readonly loss: number;
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface StepOptions {
  readonly learningRate: number;
  /** Decay of the weights' exponential moving average; 0 makes it equal the weights. */
  readonly emaDecay?: number;
}

export interface Trainer {
  readonly parameterCount: number;
  stepsDone(): number;
  /** One optimiser step. Throws, with the state still as before, when the loss or the gradient is not finite. */
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
const VECTORS = ['params', 'moment1', 'moment2', 'ema'] as const;

function initialise(layout: Layout, seed: number): Float32Array {
  const flat = new Float32Array(layout.size);
  const rng = createRng(seed);
  layout.parameters.forEach(({ init, shape }, i) => {
    const start = layout.offsets[i]!;
    const part = flat.subarray(start, start + shape.reduce((a, d) => a * d, 1));
    if (init.kind === 'ones') part.fill(1);
    if (init.kind === 'normal' && init.std > 0)
      rng.fillNormal(part).forEach((x, j) => {
        part[j] = x * init.std;
      });
  });
  return flat;
}

/** Opens a session on the step graph, with weights drawn from `seed`. */
export async function createTrainer(
  step: StepGraph,
  options: { seed: number; threads?: number; optimiser?: OptimiserSettings },
): Promise<Trainer> {
  const { layout } = step;
  const { beta1, beta2 } = options.optimiser ?? ADAMW;
  const session: Session = await openSession(
    encodeModel(step.graph),
    options.threads ? { threads: options.threads } : {},
  );
  const state: Record<(typeof VECTORS)[number], Float32Array> = {
    params: initialise(layout, options.seed),
    moment1: new Float32Array(layout.size),
    moment2: new Float32Array(layout.size),
    ema: new Float32Array(0),
  };
  state.ema = state.params.slice();
  let done = 0;

  return {
    parameterCount: layout.size,
    stepsDone: () => done,
    async step(feeds, { learningRate, emaDecay = 0 }) {
      const scalar = (value: number) => floats(Float32Array.of(value), []);
      const vectors = Object.fromEntries(VECTORS.map((name) => [name, floats(state[name], [layout.size])]));
      const result = await session.run({
        ...feeds,
        ...vectors,
        learning_rate: scalar(learningRate),
        bias_correction1: scalar(1 - beta1 ** (done + 1)),
        bias_correction2: scalar(1 - beta2 ** (done + 1)),
        // Early on the average follows closely, so that it forgets the initial weights.
        ema_decay: scalar(Math.min(emaDecay, (1 + done) / (10 + done))),
      });
      const number = (name: string) => Number(result[name]!.data[0]);
      const loss = number('loss');
      if (!Number.isFinite(loss))
        throw new Error(`${step.graph.name}: the loss is ${loss} at step ${done + 1}`);
      const gradientNorm = number('gradient_norm');
      // A finite loss may have an infinite slope (a root at 0): it would turn every weight into NaN.
      if (!Number.isFinite(gradientNorm))
        throw new Error(`${step.graph.name}: the gradient's norm is ${gradientNorm} at step ${done + 1}`);
      for (const name of VECTORS) state[name] = result[`next_${name}`]!.data as Float32Array;
      done += 1;
      const metrics = Object.fromEntries(step.metricNames.map((name) => [name, number(`metric_${name}`)]));
      return { loss, gradientNorm, metrics };
    },
    weights(which = 'current') {
      const flat = which === 'average' ? state.ema : state.params;
      return Object.fromEntries(
        layout.parameters.map((parameter, i) => {
          const start = layout.offsets[i]!;
          return [
            parameter.value.name,
            flat.slice(start, start + parameter.shape.reduce((a, d) => a * d, 1)),
          ];
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
      const parts = VECTORS.map((name) =>
        Buffer.from(state[name].buffer, state[name].byteOffset, state[name].byteLength),
      );
      await writeFile(`${path}.tmp`, Buffer.concat([Buffer.from(MAGIC), length, header, ...parts]), {
        flush: true,
      });
      await rename(`${path}.tmp`, path);
    },
    async load(path) {
      const bytes = await readFile(path);
      if (bytes.subarray(0, 8).toString() !== MAGIC) throw new Error(`${path} is not a checkpoint`);
      const headerEnd = 12 + bytes.readUInt32LE(8);
      const header = JSON.parse(bytes.subarray(12, headerEnd).toString());
      const names = layout.parameters.map((p) => `${p.value.name}[${p.shape}]`);
      if (header.graph !== step.graph.name || header.names.join() !== names.join()) {
        throw new Error(
          `${path} holds a checkpoint of another network (${header.graph}, ${header.size} weights)`,
        );
      }
      if (bytes.length !== headerEnd + VECTORS.length * layout.size * 4)
        throw new Error(`${path} is truncated or has extra bytes`);
      VECTORS.forEach((name, i) => {
        const start = headerEnd + i * layout.size * 4;
        const copy = new Uint8Array(bytes.subarray(start, start + layout.size * 4));
        state[name] = new Float32Array(copy.buffer);
      });
      done = header.done;
      return header.extra;
    },
    close: () => session.close(),
  };
}
