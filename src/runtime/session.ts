// Sessions and tensors: the only file that imports onnxruntime-node. What a graph means is not known here.

import { availableParallelism } from 'node:os';
import * as ort from 'onnxruntime-node';

export type Provider = 'cpu' | 'webgpu' | 'cuda';
export type TensorData = Float32Array | BigInt64Array | Uint8Array;

/** A dense tensor in row-major order. */
export interface Tensor {
  readonly dtype: 'float32' | 'int64' | 'bool';
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** What a model declares about one input or output; a string dimension is symbolic. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
}

export interface Session {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Runs the graph once; blocks the event loop on CPU. Throws the runtime's error for wrong names or shapes. */
  run(feeds: Readonly<Record<string, Tensor>>, fetches?: readonly string[]): Promise<Record<string, Tensor>>;
  /**
   * Runs the graph once and writes its outputs, all that `targets` names, to the memory of these tensors. The Node binding
   * (1.30) still copies every output to a fresh array, unless an output that is no tensor comes before (`endCopying` of
   * encodeModel): there it throws, when all is written.
   */
  runInto(feeds: Readonly<Record<string, Tensor>>, targets: Readonly<Record<string, Tensor>>): Promise<void>;
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly provider?: Provider;
  /** Threads within one op; absent: one for each core that this process may use. */
  readonly threads?: number;
  /**
   * For a model that runs now and then beside one that runs all the time: its threads sleep at once when it has ended,
   * where they else spin for a while and take a core from the other. Absent: they spin.
   */
  readonly seldom?: boolean;
}

/** A float32 tensor over `data` (not copied). */
export function floats(data: Float32Array, shape: readonly number[]): Tensor {
  return { dtype: 'float32', data, shape };
}

/** What the binding says of an output that is no tensor; it converts outputs after the run, in the graph's order. */
const NO_TENSOR = 'Non tensor type is temporarily not supported.';

function native(tensors: Readonly<Record<string, Tensor>>): Record<string, ort.Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, data, shape }]) => [
      name,
      new ort.Tensor(dtype as 'float32', data as Float32Array, shape),
    ]),
  );
}

function describe(metadata: readonly ort.InferenceSession.ValueMetadata[]): TensorInfo[] {
  return metadata.map((entry) => ({
    name: entry.name,
    dtype: entry.isTensor ? entry.type : 'sequence',
    shape: entry.isTensor ? [...entry.shape] : [],
  }));
}

/** Opens a model from its bytes or its path. */
export async function openSession(
  model: Uint8Array | string,
  options: SessionOptions = {},
): Promise<Session> {
  const settings: ort.InferenceSession.SessionOptions = {
    executionProviders: [options.provider ?? 'cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    logSeverityLevel: 3,
    // Always said: left to itself, onnxruntime pins its threads to cores, where one waits whenever ours is put there too.
    intraOpNumThreads: options.threads ?? availableParallelism(),
    interOpNumThreads: 1,
    ...(options.seldom ? { extra: { session: { intra_op: { allow_spinning: '0' } } } } : {}),
  };
  const session = await (typeof model === 'string'
    ? ort.InferenceSession.create(model, settings)
    : ort.InferenceSession.create(model, settings));
  const unconvertible = Object.fromEntries(
    session.outputMetadata.filter(({ isTensor }) => !isTensor).map(({ name }) => [name, null]),
  );
  return {
    inputs: describe(session.inputMetadata),
    outputs: describe(session.outputMetadata),
    async run(feeds, fetches) {
      const given = native(feeds);
      const made = fetches ? await session.run(given, [...fetches]) : await session.run(given);
      const result: Record<string, Tensor> = {};
      for (const [name, value] of Object.entries(made)) {
        const tensor = value as ort.Tensor;
        result[name] = {
          dtype: tensor.type as Tensor['dtype'],
          shape: tensor.dims,
          data: tensor.data as TensorData,
        };
      }
      return result;
    },
    async runInto(feeds, targets) {
      try {
        await session.run(native(feeds), { ...unconvertible, ...native(targets) });
      } catch (error) {
        if (!(error instanceof Error && error.message === NO_TENSOR)) throw error;
      }
    },
    close: () => session.release(),
  };
}
