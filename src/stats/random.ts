// What this room needs of a random generator. The generator itself is the caller's, and so is its seed.

/** Seeded random numbers; src/random.ts makes one. */
export interface RandomSource {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  /** Shuffles in place and returns the array. */
  shuffle<T>(items: T[]): T[];
}

/** Makes a generator whose numbers depend on the seed alone. */
export type CreateRandom = (seed: number) => RandomSource;
