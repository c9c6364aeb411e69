// Numbers drawn from a name, the same here and in test/reference/values.py (`uniform`, `draw`).

/** Multiples of 2^-23 in [-1, 1): xorshift32 seeded by the FNV-1a hash of a text. */
export function uniformOf(text: string, count: number): Float32Array {
  let state = 2166136261;
  for (const byte of Buffer.from(text)) state = Math.imul(state ^ byte, 16777619);
  state = state >>> 0 || 1;
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) >>> 8) / 2 ** 23 - 1;
  });
}

/** A tensor's numbers by case and name, in a range that suits what the name stands for. */
export function drawTensor(caseName: string, name: string, shape: readonly number[]): Float32Array {
  const u = uniformOf(
    `${caseName}/${name}`,
    shape.reduce((a, d) => a * d, 1),
  );
  if (name === 'timestep') return u.map((x) => Math.floor((x + 1) * 500));
  if (['targets', 'kind', 'colour', 'weight'].includes(name)) return u.map((x) => (x + 1) / 2);
  if (name === 'present') return u.map((x) => (x > 0 ? 1 : 0));
  if (name.endsWith('.weight')) return shape.length === 1 ? u.map((x) => 1 + x / 4) : u.map((x) => x / 4);
  return name.endsWith('.bias') ? u.map((x) => x / 4) : u;
}
