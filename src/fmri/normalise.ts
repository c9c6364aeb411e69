// Normalisation of beta matrices, and means over trials. Matrices are row-major [trials, voxels].

export interface ZScored {
  readonly data: Float32Array;
  /** Voxels without variance: they become 0 rather than NaN. */
  readonly constantVoxels: number;
}

/**
 * Per-voxel z-score over the trials of one session (ddof 1), the custom of NSD-based work. With one trial there is
 * no variance, and all voxels become 0.
 */
export function zScoreSession(betas: Float32Array, voxels: number): ZScored {
  return zScoreBy(
    betas,
    voxels,
    Array.from({ length: betas.length / voxels }, (_, t) => t),
  );
}

/**
 * Per-voxel z-score of all trials by mean and deviation (ddof 1) of the trials in `fit` alone, so that held-out trials
 * have no say in it.
 */
export function zScoreBy(betas: Float32Array, voxels: number, fit: readonly number[]): ZScored {
  const data = new Float32Array(betas.length);
  const means = new Float64Array(voxels);
  const deviations = new Float64Array(voxels);
  // Row by row, as the matrix lies in memory: column by column takes several times as long.
  for (const t of fit) {
    for (let v = 0, at = t * voxels; v < voxels; v++, at++) means[v]! += betas[at]! / fit.length;
  }
  for (const t of fit) {
    for (let v = 0, at = t * voxels; v < voxels; v++, at++) deviations[v]! += (betas[at]! - means[v]!) ** 2;
  }
  let constantVoxels = 0;
  for (let v = 0; v < voxels; v++) {
    const std = fit.length > 1 ? Math.sqrt(deviations[v]! / (fit.length - 1)) : 0;
    deviations[v] = std > 1e-12 * Math.max(1, Math.abs(means[v]!)) ? std : 0;
    if (deviations[v] === 0) constantVoxels += 1;
  }
  for (let row = 0; row < betas.length; row += voxels) {
    for (let v = 0; v < voxels; v++) {
      if (deviations[v]! > 0) data[row + v] = (betas[row + v]! - means[v]!) / deviations[v]!;
    }
  }
  return { data, constantVoxels };
}

/** Mean of some rows of a matrix: [voxels]. */
export function meanOfRows(data: Float32Array, voxels: number, rows: readonly number[]): Float32Array {
  const mean = new Float32Array(voxels);
  for (const row of rows) {
    for (let v = 0; v < voxels; v++) mean[v]! += data[row * voxels + v]! / rows.length;
  }
  return mean;
}
