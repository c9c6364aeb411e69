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
  const trials = betas.length / voxels;
  const data = new Float32Array(betas.length);
  let constantVoxels = 0;
  for (let v = 0; v < voxels; v++) {
    let mean = 0;
    for (const t of fit) mean += betas[t * voxels + v]! / fit.length;
    let sum = 0;
    for (const t of fit) sum += (betas[t * voxels + v]! - mean) ** 2;
    const std = fit.length > 1 ? Math.sqrt(sum / (fit.length - 1)) : 0;
    if (!(std > 1e-12 * Math.max(1, Math.abs(mean)))) {
      constantVoxels += 1;
      continue;
    }
    for (let t = 0; t < trials; t++) data[t * voxels + v] = (betas[t * voxels + v]! - mean) / std;
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
