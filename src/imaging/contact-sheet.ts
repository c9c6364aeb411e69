// Contact sheets: rows and columns of pictures with short captions, as one PNG. Letters are drawn from a built-in
// 5 x 7 dot font, since a bare machine may have no fonts at all.

import sharp from 'sharp';
import { encodePng } from './decode.js';
import type { MaskImage, RgbImage } from './types.js';

export interface SheetCell {
  readonly image?: RgbImage;
  readonly caption?: string;
}

export interface SheetOptions {
  readonly cellWidthPx?: number;
  readonly cellHeightPx?: number;
  readonly gapPx?: number;
}

/** Columns of each letter, the lowest bit at the top. */
const FONT: Readonly<Record<string, string>> = {
  A: '7e1111117e',
  B: '7f49494936',
  C: '3e41414122',
  D: '7f4141221c',
  E: '7f49494941',
  F: '7f09090901',
  G: '3e4149497a',
  H: '7f0808087f',
  I: '00417f4100',
  J: '2040413f01',
  K: '7f08142241',
  L: '7f40404040',
  M: '7f020c027f',
  N: '7f0408107f',
  O: '3e4141413e',
  P: '7f09090906',
  Q: '3e4151215e',
  R: '7f09192946',
  S: '4649494931',
  T: '01017f0101',
  U: '3f4040403f',
  V: '1f2040201f',
  W: '3f4038403f',
  X: '6314081463',
  Y: '0708700807',
  Z: '6151494543',
  '0': '3e5149453e',
  '1': '00427f4000',
  '2': '4261514946',
  '3': '2141454b31',
  '4': '1814127f10',
  '5': '2745454539',
  '6': '3c4a494930',
  '7': '0171090503',
  '8': '3649494936',
  '9': '064949291e',
  '-': '0808080808',
  '.': '0060600000',
  ':': '0036360000',
  ',': '0050300000',
  '+': '08083e0808',
  '(': '001c224100',
  ')': '0041221c00',
  '/': '2010080402',
  '%': '2313086462',
  '=': '1414141414',
  _: '4040404040',
  '?': '0201510906',
  ' ': '',
};

/** An empty box: what stands for a letter that the font lacks. */
const UNKNOWN = '7f4141417f';

const CAPTION_HEIGHT = 26;

function drawText(sheet: RgbImage, text: string, left: number, top: number, scale: number): void {
  for (const [i, letter] of [...text.toUpperCase()].entries()) {
    const columns = Buffer.from(FONT[letter] ?? UNKNOWN, 'hex');
    for (const [x, bits] of columns.entries()) {
      for (let y = 0; y < 7; y++) {
        if (!(bits & (1 << y))) continue;
        for (let dy = 0; dy < scale; dy++) {
          const at = ((top + y * scale + dy) * sheet.width + left + (i * 6 + x) * scale) * 3;
          sheet.data.fill(60, at, at + 3 * scale);
        }
      }
    }
  }
}

/** A picture with the part that may be edited tinted, as a person wants to see a mask. */
export function tintMask(image: RgbImage, mask: MaskImage): RgbImage {
  const data = Uint8Array.from(image.data);
  for (let i = 0; i < mask.data.length; i++) {
    if (mask.data[i] !== 255) continue;
    for (const [k, tint] of [235, 40, 120].entries())
      data[i * 3 + k] = Math.round(data[i * 3 + k]! * 0.35 + tint * 0.65);
  }
  return { ...image, data };
}

/** Lays pictures out on white, each within its cell in its own proportions, captions below. */
export async function makeContactSheet(
  rows: readonly (readonly SheetCell[])[],
  options: SheetOptions = {},
): Promise<Buffer> {
  const { cellWidthPx: w = 240, cellHeightPx: h = 180, gapPx: gap = 12 } = options;
  const columns = Math.max(...rows.map((row) => row.length));
  const width = gap + columns * (w + gap);
  const height = gap + rows.length * (h + CAPTION_HEIGHT + gap);
  const sheet: RgbImage = { width, height, data: new Uint8Array(width * height * 3).fill(255) };
  for (const [r, row] of rows.entries()) {
    for (const [c, cell] of row.entries()) {
      const [left, top] = [gap + c * (w + gap), gap + r * (h + CAPTION_HEIGHT + gap)];
      if (cell.image) {
        const { data, info } = await sharp(cell.image.data, {
          raw: { width: cell.image.width, height: cell.image.height, channels: 3 },
        })
          .resize({ width: w, height: h, fit: 'inside' })
          .raw()
          .toBuffer({ resolveWithObject: true });
        const [dx, dy] = [(w - info.width) >> 1, h - info.height];
        for (let y = 0; y < info.height; y++) {
          const line = data.subarray(y * info.width * 3, (y + 1) * info.width * 3);
          sheet.data.set(line, ((top + dy + y) * width + left + dx) * 3);
        }
      }
      if (cell.caption) {
        const room = Math.floor(w / 12);
        const text = cell.caption.slice(0, room);
        drawText(sheet, text, left + ((w - text.length * 12) >> 1), top + h + 7, 2);
      }
    }
  }
  return encodePng(sheet);
}
