// Losses as graph functions: each yields a scalar value.

import type { Builder } from '../graph/builder.js';
import * as op from '../graph/ops.js';
import { known } from '../graph/shapes.js';
import type { Value } from '../graph/types.js';

/** Mean squared error over all elements. */
export function meanSquaredError(b: Builder, prediction: Value, target: Value): Value {
  return op.meanAll(b, op.square(b, op.sub(b, prediction, target)));
}

/** Mean absolute error over all elements. */
export function meanAbsoluteError(b: Builder, prediction: Value, target: Value): Value {
  return op.meanAll(b, op.abs(b, op.sub(b, prediction, target)));
}

/** Cross-entropy of logits [batch, class] against target distributions [batch, class], mean over the batch. */
export function crossEntropy(b: Builder, logits: Value, targets: Value): Value {
  const perSample = op.reduceSum(b, op.mul(b, op.logSoftmax(b, logits), targets), [1]);
  return op.neg(b, op.meanAll(b, perSample));
}

/**
 * Symmetric contrastive loss (Radford et al. 2021, InfoNCE both ways) of paired rows x, y [batch, size]:
 * the mean of the two cross-entropies over cosine similarities divided by the temperature tau.
 */
export function symmetricContrastive(b: Builder, x: Value, y: Value, tau: number): Value {
  const batch = known(x.shape[0], 'symmetricContrastive');
  const similarity = op.matmul(b, op.l2Normalise(b, x), op.transpose(b, op.l2Normalise(b, y), [1, 0]));
  const logits = op.mul(b, similarity, 1 / tau);
  const identity = b.constant(
    Float32Array.from({ length: batch * batch }, (_, i) => (i % (batch + 1) === 0 ? 1 : 0)),
    [batch, batch],
  );
  const forward = crossEntropy(b, logits, identity);
  const backward = crossEntropy(b, op.transpose(b, logits, [1, 0]), identity);
  return op.mul(b, op.add(b, forward, backward), 0.5);
}
