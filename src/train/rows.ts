// Matrices of rows: a network mapped over them, rows picked out of them. All row-major float32.

import { floats, openSession, type Session, type SessionOptions, type Tensor } from '../runtime/session.js';

/** Runs a network of one input and one output over rows of `shape`, `batch` at a time. */
export async function mapRows(
  session: Session,
  rows: Float32Array,
  shape: readonly number[],
  batch = 64,
): Promise<Float32Array> {
  const size = shape.reduce((a, d) => a * d, 1);
  const count = rows.length / size;
  const [input, output] = [session.inputs[0]!.name, session.outputs[0]!.name];
  let whole = new Float32Array(0);
  for (let i = 0; i < count; i += batch) {
    const n = Math.min(batch, count - i);
    const feeds = { [input]: floats(rows.subarray(i * size, (i + n) * size), [n, ...shape]) };
    const part = (await session.run(feeds))[output]!.data as Float32Array;
    if (i === 0) whole = new Float32Array((part.length / n) * count);
    whole.set(part, i * (part.length / n));
  }
  return whole;
}

/** The same with a model that is opened for it: its bytes or its path. */
export async function mapModel(
  model: Uint8Array | string,
  rows: Float32Array,
  shape: readonly number[],
  options: SessionOptions = {},
): Promise<Float32Array> {
  const session = await openSession(model, options);
  try {
    return await mapRows(session, rows, shape);
  } finally {
    await session.close();
  }
}

/** A tensor [indices, size] whose rows `fill` writes. */
export function rowsOf(
  indices: readonly number[],
  size: number,
  fill: (index: number, row: Float32Array) => void,
): Tensor {
  const data = new Float32Array(indices.length * size);
  indices.forEach((index, i) => {
    fill(index, data.subarray(i * size, (i + 1) * size));
  });
  return floats(data, [indices.length, size]);
}
