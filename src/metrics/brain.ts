// How well brain networks predict and identify: voxel-wise correlation, two-way identification, retrieval.
// Pure functions on row-major matrices.

/** Pearson correlation of each column of two matrices [rows, columns]; NaN where either column is constant. */
export function columnCorrelations(a: Float32Array, b: Float32Array, columns: number): Float32Array {
  const rows = a.length / columns;
  return Float32Array.from({ length: columns }, (_, c) => {
    let [sa, sb, saa, sbb, sab] = [0, 0, 0, 0, 0];
    for (let r = 0; r < rows; r++) {
      const [x, y] = [a[r * columns + c]!, b[r * columns + c]!];
      sa += x;
      sb += y;
      saa += x * x;
      sbb += y * y;
      sab += x * y;
    }
    return (sab - (sa * sb) / rows) / Math.sqrt((saa - (sa * sa) / rows) * (sbb - (sb * sb) / rows));
  });
}

/** Cosines of every row of a with every row of b, [rowsA, rowsB]. */
export function cosineSimilarities(a: Float32Array, b: Float32Array, size: number): Float64Array {
  const unit = (m: Float32Array) => {
    const result = new Float64Array(m.length);
    for (let at = 0; at < m.length; at += size) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += m[at + k]! ** 2;
      const scale = sum > 0 ? 1 / Math.sqrt(sum) : 0;
      for (let k = 0; k < size; k++) result[at + k] = m[at + k]! * scale;
    }
    return result;
  };
  const [x, y] = [unit(a), unit(b)];
  const [rows, columns] = [a.length / size, b.length / size];
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += x[i * size + k]! * y[j * size + k]!;
      result[i * columns + j] = sum;
    }
  }
  return result;
}

/**
 * Two-way identification on a square similarity matrix [n, n] whose diagonal is the right pair: the share of other
 * candidates that are strictly less similar, mean over rows; chance 0.5 (as MindEye evaluates; ties count as misses).
 */
export function twoWayIdentification(similarity: Float64Array, n: number): number {
  let wins = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) if (j !== i && similarity[i * n + j]! < similarity[i * n + i]!) wins += 1;
  }
  return wins / (n * (n - 1));
}

/** The share of the chosen rows (or columns) whose own partner is the strict best among the chosen. */
function topOne(similarity: Float64Array, n: number, chosen: readonly number[], transposed: boolean): number {
  const at = (i: number, j: number) => similarity[transposed ? j * n + i : i * n + j]!;
  return chosen.filter((i) => chosen.every((j) => j === i || at(i, j) < at(i, i))).length / chosen.length;
}

/** A mean with its 95 % interval. */
export interface MeanWithInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** A share of `n` cases with its 95 % interval by Wilson's score (1927), which stays within 0 and 1. */
export function wilsonInterval(share: number, n: number): MeanWithInterval {
  const z2 = 1.96 ** 2;
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = (1.96 / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  return { mean: share, low: centre - half, high: centre + half };
}

export interface Retrieval {
  /** Top-1 accuracy, brain to image and image to brain. */
  readonly forward: MeanWithInterval;
  readonly backward: MeanWithInterval;
  readonly candidates: number;
  readonly draws: number;
}

/**
 * Top-1 retrieval both ways among `candidates` (at most n) random items, over draws, as MindEye measures it
 * (300 candidates, 30 draws). `int` draws uniform integers below its argument.
 */
export function retrieval(
  similarity: Float64Array,
  n: number,
  int: (below: number) => number,
  candidates = 300,
  draws = 30,
): Retrieval {
  const size = Math.min(candidates, n);
  const scores: [number[], number[]] = [[], []];
  for (let d = 0; d < draws; d++) {
    const items = Array.from({ length: n }, (_, i) => i);
    // The first `size` places of a Fisher-Yates shuffle.
    for (let i = 0; i < size; i++) {
      const j = i + int(n - i);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
    const chosen = items.slice(0, size);
    scores[0].push(topOne(similarity, n, chosen, false));
    scores[1].push(topOne(similarity, n, chosen, true));
  }
  const summary = (values: readonly number[]): MeanWithInterval => {
    const mean = values.reduce((a, x) => a + x, 0) / values.length;
    const variance = values.reduce((a, x) => a + (x - mean) ** 2, 0) / Math.max(1, values.length - 1);
    const half = 1.96 * Math.sqrt(variance / values.length);
    return { mean, low: mean - half, high: mean + half };
  };
  return { forward: summary(scores[0]), backward: summary(scores[1]), candidates: size, draws };
}
