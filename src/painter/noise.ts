// The starting noise of a painting: a documented function of (seed, index), so that any build can repeat it.

/**
 * Standard normals by Box and Muller (1958) from a 32-bit counter generator: word n of the stream of (seed, index)
 * is the murmur3 finaliser of n + 0x9e3779b9 * (index + 1), xor-ed with the finaliser of the seed.
 */
export function gaussianNoise(seed: number, index: number, count: number): Float32Array {
  const mix = (value: number): number => {
    let h = value >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  };
  const key = mix((seed ^ 0x5bd1e995) >>> 0);
  const offset = Math.imul(0x9e3779b9, index + 1);
  const uniform = (n: number) => (mix(mix((n + offset) >>> 0) ^ key) + 1) / 4294967297;
  const noise = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniform(i)));
    const angle = 2 * Math.PI * uniform(i + 1);
    noise[i] = radius * Math.cos(angle);
    if (i + 1 < count) noise[i + 1] = radius * Math.sin(angle);
  }
  return noise;
}
