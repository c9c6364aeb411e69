// Small metric networks for tests: the pixels themselves as embedding, and the mean absolute difference as distance. Real graphs
// that the runtime runs; what they give can be told beforehand.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBuilder } from '../../src/graph/builder.js';
import { encodeModel } from '../../src/graph/onnx.js';
import * as op from '../../src/graph/ops.js';

async function write(folder: string, description: object, model: Uint8Array): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'metric_network.json'), JSON.stringify(description));
  await writeFile(join(folder, 'model.onnx'), model);
  return folder;
}

/** A picture of 16 x 16 as the vector of its values. */
export function writePixelNetwork(folder: string, more: object = {}): Promise<string> {
  const b = createBuilder('pixels');
  const image = b.input('image', 'float32', ['batch', 3, 16, 16]);
  b.output('values', op.reshape(b, image, ['batch', 3 * 16 * 16]));
  const description = { kind: 'embedding', name: 'pixels', about: 'of the tests', output: 'values', ...more };
  return write(folder, description, encodeModel(b.freeze(), { weights: {} }));
}

/** Mean absolute difference, on values in [-1, 1]. */
export function writeDistanceNetwork(folder: string, more: object = {}): Promise<string> {
  const b = createBuilder('distance');
  const [first, second] = ['ref', 'dist'].map((name) => b.input(name, 'float32', [1, 3, 256, 256]));
  b.output('score', op.reduceMean(b, op.abs(b, op.sub(b, first!, second!)), [1, 2, 3]));
  const description = { kind: 'lpips', name: 'mean difference', ...more };
  return write(folder, description, encodeModel(b.freeze(), { weights: {} }));
}
