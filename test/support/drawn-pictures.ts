// Pictures drawn from a name, the same here and in test/reference/pictures.py (`draw`, `noise`, `ramp`, `mix`, `pair`).

import { uniformOf } from './drawn-tensors.js';

/** Bytes drawn from a text. */
export function drawBytes(text: string, count: number): Uint8Array {
  return Uint8Array.from(uniformOf(text, count), (u) => Math.floor((u + 1) * 128));
}

function ramp(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [k, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return (5 * x + 3 * y + 40 * k) % 256;
  });
}

const mix = (a: Uint8Array, b: Uint8Array, share: number) =>
  a.map((value, i) => Math.floor((share * value + (8 - share) * b[i]!) / 8));

export interface PictureCase {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly kind: string;
}

/** The two pictures of a case: RGB bytes. */
export function drawPair({ name, width, height, kind }: PictureCase): readonly [Uint8Array, Uint8Array] {
  const [a, b] = ['a', 'b'].map((side) => drawBytes(`${name}/${side}`, width * height * 3)) as [
    Uint8Array,
    Uint8Array,
  ];
  const slope = ramp(width, height);
  switch (kind) {
    case 'noise':
      return [a, b];
    case 'same':
      return [a, a];
    case 'near':
      return [mix(slope, a, 6), mix(slope, b, 6)];
    case 'inverse':
      return [slope, slope.map((value) => 255 - value)];
    case 'dimmed':
      return [slope, mix(slope, new Uint8Array(slope.length), 4)];
    default:
      throw new Error(`no such kind: ${kind}`);
  }
}
