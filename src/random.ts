// Seeded random numbers for initial weights, noise and sampling: the state can be saved and restored exactly.

export interface Rng {
  /** Uniform in [0, 1) with 32 bits. */
  uniform(): number;
  /** Standard normal (Box and Muller 1958). */
  normal(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  /** Fills an array with standard normals and returns it. */
  fillNormal(target: Float32Array): Float32Array;
  /** Shuffles in place (Fisher and Yates) and returns the array. */
  shuffle<T>(items: T[]): T[];
  state(): number[];
  restore(state: readonly number[]): void;
}

/** A xoshiro128** generator (Blackman and Vigna 2018), seeded by splitmix32. */
export function createRng(seed: number): Rng {
  const s = new Uint32Array(4);
  let mix = seed >>> 0;
  for (let i = 0; i < 4; i++) {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    s[i] = (z ^ (z >>> 15)) >>> 0;
  }
  const rotate = (x: number, k: number) => ((x << k) | (x >>> (32 - k))) >>> 0;

  function next(): number {
    const result = Math.imul(rotate(Math.imul(s[1]!, 5) >>> 0, 7), 9) >>> 0;
    const t = (s[1]! << 9) >>> 0;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotate(s[3]!, 11);
    return result;
  }
  const uniform = () => next() / 4294967296;
  const radius = () => Math.sqrt(-2 * Math.log((next() + 1) / 4294967297));
  const int = (n: number) => Math.floor(uniform() * n);

  return {
    uniform,
    int,
    normal: () => radius() * Math.cos(2 * Math.PI * uniform()),
    fillNormal(target) {
      for (let i = 0; i < target.length; i += 2) {
        const r = radius();
        const angle = 2 * Math.PI * uniform();
        target[i] = r * Math.cos(angle);
        if (i + 1 < target.length) target[i + 1] = r * Math.sin(angle);
      }
      return target;
    },
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = int(i + 1);
        [items[i], items[j]] = [items[j]!, items[i]!];
      }
      return items;
    },
    state: () => [...s],
    restore: (state) => s.set(state),
  };
}
