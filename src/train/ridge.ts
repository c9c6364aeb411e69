// Ridge regression with few samples, in closed form: leave-one-out predictions, by which voxels are chosen.

/** Inverse of a symmetric positive definite matrix [n, n], by Gauss and Jordan without pivoting. */
function invert(matrix: Float64Array, n: number): Float64Array {
  const a = Float64Array.from(matrix);
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) inverse[i * n + i] = 1;
  for (let p = 0; p < n; p++) {
    const pivot = a[p * n + p]!;
    for (let j = 0; j < n; j++) {
      a[p * n + j]! /= pivot;
      inverse[p * n + j]! /= pivot;
    }
    for (let i = 0; i < n; i++) {
      const factor = a[i * n + p]!;
      if (i === p || factor === 0) continue;
      for (let j = 0; j < n; j++) {
        a[i * n + j]! -= factor * a[p * n + j]!;
        inverse[i * n + j]! -= factor * inverse[p * n + j]!;
      }
    }
  }
  return inverse;
}

/**
 * Predicts each row of y [samples, targets] from x [samples, features] by a ridge regression on all other rows. Columns of
 * both are taken as centred; `penalty` is a share of the mean squared length of x's rows.
 */
export function leaveOneOutRidge(
  x: Float32Array,
  y: Float32Array,
  samples: number,
  penalty: number,
): Float32Array {
  const [features, targets] = [x.length / samples, y.length / samples];
  const kernel = new Float64Array(samples * samples);
  let trace = 0;
  for (let i = 0; i < samples; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < features; k++) sum += x[i * features + k]! * x[j * features + k]!;
      kernel[i * samples + j] = sum;
      kernel[j * samples + i] = sum;
    }
    trace += kernel[i * samples + i]!;
  }
  for (let i = 0; i < samples; i++) kernel[i * samples + i]! += (penalty * trace) / samples;
  const inverse = invert(kernel, samples);
  // y_i - (K^-1 y)_i / (K^-1)_ii: what a fit without row i says of it (Golub, Heath and Wahba 1979).
  const predicted = new Float32Array(y.length);
  for (let i = 0; i < samples; i++) {
    const weights = inverse.subarray(i * samples, (i + 1) * samples);
    for (let t = 0; t < targets; t++) {
      let sum = 0;
      for (let j = 0; j < samples; j++) sum += weights[j]! * y[j * targets + t]!;
      predicted[i * targets + t] = y[i * targets + t]! - sum / weights[i]!;
    }
  }
  return predicted;
}
