// The contact sheet of the benchmark: a held-out trial a row; digit seen, source, and each mask with its painting.

import { readFile } from 'node:fs/promises';
import { makeContactSheet, type SheetCell, tintMask } from '../../imaging/contact-sheet.js';
import { decodeRgb, resizeRgb } from '../../imaging/decode.js';
import { presetMask } from '../../imaging/mask-shapes.js';
import type { RgbImage } from '../../imaging/types.js';
import type { DigitsData } from './dataset.js';
import { type HeldOutTrial, maskFor, PAINTINGS, paintingPath } from './fold.js';

const SIDE = 96;
const CAPTIONS = { full: 'whole', half: 'half', centre: 'centre', shuffled: 'shuffled' } as const;

/** Rows of trials, each with the folder that its fold's paintings are in. */
export async function digitsSheet(
  data: DigitsData,
  rows: readonly { readonly result: HeldOutTrial; readonly folder: string }[],
): Promise<Buffer> {
  const cell = async (image: RgbImage, caption: string): Promise<SheetCell> => ({
    image: await resizeRgb(image, SIDE, SIDE),
    caption,
  });
  const name = (digit: number) => (digit === 1 ? 'nine' : 'six');
  const sheet = await Promise.all(
    rows.map(async ({ result, folder }) => {
      const { trial, donor, judged } = result;
      const source = data.sourceDigits[trial % data.sourceDigits.length]!;
      const cells = [cell(data.stimuli[trial]!, 'seen'), cell(source, 'source')];
      for (const kind of PAINTINGS) {
        const path = paintingPath(folder, trial, kind);
        if (kind === 'half' || kind === 'centre')
          cells.push(
            cell(tintMask(source, presetMask(maskFor(kind, trial), source.width, source.height)), 'mask'),
          );
        if (kind === 'shuffled') cells.push(cell(data.stimuli[donor]!, 'donor'));
        const caption = `${CAPTIONS[kind].slice(0, 4)} ${name(judged[kind])}`;
        cells.push(cell(await decodeRgb(await readFile(path), path), caption));
      }
      return Promise.all(cells);
    }),
  );
  return makeContactSheet(sheet, { cellWidthPx: 108, cellHeightPx: SIDE });
}
