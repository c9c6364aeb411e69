// How near two pictures are: pixel correlation, structural similarity, and the error along the edge of a mask. Pure functions
// on 8-bit RGB, row-major, three bytes a pixel.

/** Pearson's r of two rows of numbers; NaN where one of them never changes. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  let [meanA, meanB] = [0, 0];
  for (let i = 0; i < n; i++) {
    meanA += a[i]! / n;
    meanB += b[i]! / n;
  }
  let [squaresA, squaresB, products] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i]! - meanA, b[i]! - meanB];
    squaresA += x * x;
    squaresB += y * y;
    products += x * y;
  }
  return squaresA > 0 && squaresB > 0 ? products / Math.sqrt(squaresA * squaresB) : Number.NaN;
}

/** Luma of RGB bytes in [0, 1], by the weights of scikit-image's rgb2gray (ITU-R BT.709). */
export function greyOf(rgb: Uint8Array): Float64Array {
  return Float64Array.from({ length: rgb.length / 3 }, (_, i) => {
    const at = 3 * i;
    return (0.2125 * rgb[at]! + 0.7154 * rgb[at + 1]! + 0.0721 * rgb[at + 2]!) / 255;
  });
}

const RADIUS = 5;
/** 11 taps of a Gaussian of sigma 1.5. */
const WINDOW = (() => {
  const taps = Array.from({ length: 2 * RADIUS + 1 }, (_, i) =>
    Math.exp(-((i - RADIUS) ** 2) / (2 * 1.5 ** 2)),
  );
  const sum = taps.reduce((a, b) => a + b, 0);
  return taps.map((tap) => tap / sum);
})();

/** The window's mean at each place where it fits whole: [height - 10, width - 10]. */
function smooth(grey: Float64Array, width: number, height: number): Float64Array {
  const columns = width - 2 * RADIUS;
  const rows = new Float64Array(columns * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let k = 0; k < WINDOW.length; k++) sum += WINDOW[k]! * grey[y * width + x + k]!;
      rows[y * columns + x] = sum;
    }
  }
  const result = new Float64Array(columns * (height - 2 * RADIUS));
  for (let i = 0; i < result.length; i++) {
    let sum = 0;
    for (let k = 0; k < WINDOW.length; k++) sum += WINDOW[k]! * rows[i + k * columns]!;
    result[i] = sum;
  }
  return result;
}

/**
 * Structural similarity (Wang et al. 2004) of two grey pictures in [0, 1], each side 11 pixels or more: Gaussian window 11 x 11
 * of sigma 1.5, K1 0.01, K2 0.03, data range 1, population covariance, mean over the places where the window fits. That is
 * scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1).
 */
export function structuralSimilarity(
  a: Float64Array,
  b: Float64Array,
  width: number,
  height: number,
): number {
  const mean = (map: (i: number) => number) =>
    smooth(
      Float64Array.from(a, (_, i) => map(i)),
      width,
      height,
    );
  const [meanA, meanB] = [smooth(a, width, height), smooth(b, width, height)];
  const squaresA = mean((i) => a[i]! * a[i]!);
  const squaresB = mean((i) => b[i]! * b[i]!);
  const products = mean((i) => a[i]! * b[i]!);
  const [c1, c2] = [0.01 ** 2, 0.03 ** 2];
  let sum = 0;
  for (let i = 0; i < meanA.length; i++) {
    const [x, y] = [meanA[i]!, meanB[i]!];
    const [varianceA, varianceB] = [squaresA[i]! - x * x, squaresB[i]! - y * y];
    const covariance = products[i]! - x * y;
    sum += ((2 * x * y + c1) * (2 * covariance + c2)) / ((x * x + y * y + c1) * (varianceA + varianceB + c2));
  }
  return sum / meanA.length;
}

/** Two-way identification of one: the share of the others that are strictly less similar than its own; chance 0.5, ties are misses. */
export function shareIdentified(own: number, others: readonly number[]): number {
  return others.filter((other) => other < own).length / others.length;
}

/** Editable pixels (mask 255) with a kept one at most `bandPx` rows and columns away; beyond the picture nothing is kept. */
export function boundaryBand(mask: Uint8Array, width: number, height: number, bandPx: number): Uint8Array {
  const reach = (
    kept: Uint8Array,
    step: number,
    length: number,
    start: (line: number) => number,
    lines: number,
  ) => {
    const near = new Uint8Array(kept.length);
    for (let line = 0; line < lines; line++) {
      const from = start(line);
      for (let i = 0; i < length; i++) {
        if (!kept[from + i * step]) continue;
        for (let k = Math.max(0, i - bandPx); k <= Math.min(length - 1, i + bandPx); k++)
          near[from + k * step] = 1;
      }
    }
    return near;
  };
  const kept = Uint8Array.from(mask, (value) => (value === 255 ? 0 : 1));
  const along = reach(kept, 1, width, (y) => y * width, height);
  const near = reach(along, width, height, (x) => x, width);
  return near.map((value, i) => (value && mask[i] === 255 ? 1 : 0));
}

/**
 * How far a painting departs from its source just inside the edge of the mask: mean absolute difference over the boundary band,
 * in [0, 1]; NaN where there is no edge.
 */
export function boundaryBandError(
  painting: Uint8Array,
  source: Uint8Array,
  mask: { readonly width: number; readonly height: number; readonly data: Uint8Array },
  bandPx: number,
): number {
  const band = boundaryBand(mask.data, mask.width, mask.height, bandPx);
  let [sum, count] = [0, 0];
  for (let i = 0; i < band.length; i++) {
    if (!band[i]) continue;
    count += 3;
    for (let k = 3 * i; k < 3 * i + 3; k++) sum += Math.abs(painting[k]! - source[k]!);
  }
  return count > 0 ? sum / count / 255 : Number.NaN;
}
