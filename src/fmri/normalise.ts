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
  const trials = betas.length / voxels;
  const data = new Float32Array(betas.length);
  let constantVoxels = 0;
  for (let v = 0; v < voxels; v++) {
    let mean = 0;
    for (let t = 0; t < trials; t++) mean += betas[t * voxels + v]! / trials;
    let sum = 0;
    for (let t = 0; t < trials; t++) sum += (betas[t * voxels + v]! - mean) ** 2;
    const std = trials > 1 ? Math.sqrt(sum / (trials - 1)) : 0;
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
