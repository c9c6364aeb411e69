// The two brain networks of MindPainter (AAAI 2025): pseudo brain generator G_eta and brain adapter A.

import type { Builder } from '../../graph/builder.js';
import * as op from '../../graph/ops.js';
import type { Value } from '../../graph/types.js';
import { layerNorm, linear, residualLinear } from '../layers.js';

export interface ResidualMlpSize {
  readonly hidden: number;
  readonly blocks: number;
  readonly outputs: number;
}

/** Linear in, residual linear blocks, norm, linear out: [batch, in] -> [batch, outputs]. */
function residualMlp(b: Builder, x: Value, size: ResidualMlpSize): Value {
  let hidden = linear(b, 'linear_in', x, size.hidden);
  for (let i = 0; i < size.blocks; i++) hidden = residualLinear(b, `block${i}`, hidden);
  return linear(b, 'linear_out', layerNorm(b, 'norm_out', hidden), size.outputs);
}

/** Pseudo brain generator: embedding [batch, 1024] -> pseudo signal [batch, voxels] in z-scored units. */
export function generatePseudoBrain(b: Builder, embedding: Value, size: ResidualMlpSize): Value {
  return residualMlp(b, embedding, size);
}

/** Brain adapter: signal [batch, voxels] -> embedding [batch, 1024], each row of length sqrt(1024). */
export function adaptBrain(b: Builder, signal: Value, size: ResidualMlpSize): Value {
  // The contrastive loss only knows directions; a fixed length makes the condition's scale part of the contract.
  return op.mul(b, op.l2Normalise(b, residualMlp(b, signal, size)), Math.sqrt(size.outputs));
}
