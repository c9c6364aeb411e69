// What a measuring child does: each painting of a benchmark against its source and against the picture seen. No database here.

import { AppError } from '../errors.js';
import { countDifferentOutside } from '../imaging/crop.js';
import { decodeRgb, resizeRgb } from '../imaging/decode.js';
import { maskBounds } from '../imaging/mask-shapes.js';
import type { MaskImage, RgbImage } from '../imaging/types.js';
import { cosineSimilarities } from '../metrics/brain.js';
import {
  boundaryBandError,
  greyOf,
  pearson,
  shareIdentified,
  structuralSimilarity,
} from '../metrics/pictures.js';
import type { Blobs } from '../store/blobs.js';
import type { CellInput, Measured, MeasureEvent, MeasureMessage } from './measuring-messages.js';
import { type MetricNetworks, openMetricNetworks } from './metric-networks.js';

/** Both pictures are resampled to this square for SSIM and PixCorr, as in MindEye's evaluation. */
export const COMPARED_SIDE_PX = 425;
/** The boundary band is this share of the longer side of the mask's box, a pixel at least. */
export const BAND_SHARE = 0.04;
/** Pictures are laid over one another only where their proportions differ by no more. */
const SAME_PROPORTIONS = 0.01;

const FLAT = 'a picture that is one colour correlates with nothing';

function alike(a: RgbImage, b: RgbImage): boolean {
  const [across, along] = [a.width * b.height, b.width * a.height];
  return Math.abs(across - along) <= SAME_PROPORTIONS * across;
}

/** The picture with what may be painted in mid grey. */
function hide(picture: RgbImage, mask: MaskImage): RgbImage {
  const data = Uint8Array.from(picture.data);
  for (let i = 0; i < mask.data.length; i++) if (mask.data[i] === 255) data.fill(128, 3 * i, 3 * i + 3);
  return { ...picture, data };
}

const orReason = (value: number, reason: string): number | string =>
  Number.isFinite(value) ? value : reason;

interface Seen {
  readonly picture: RgbImage;
  readonly embedding: Float32Array | undefined;
}

/** How the masked part of the painting is recognised as what was seen. */
async function compareEmbeddings(
  { embed }: MetricNetworks,
  painting: RgbImage,
  mask: MaskImage,
  own: number,
  seen: readonly Seen[],
): Promise<Measured> {
  const both = (reason: string): Measured => ({
    TWO_WAY_IDENTIFICATION: reason,
    EMBEDDING_SIMILARITY: reason,
  });
  if (typeof embed === 'string') return both(embed);
  const crop = await embed(painting, mask);
  const r = seen.map(({ embedding }) => pearson(crop, embedding!));
  const flat = r.some(Number.isNaN);
  const cosine = cosineSimilarities(crop, seen[own]!.embedding!, crop.length)[0]!;
  const others = r.filter((_, i) => i !== own);
  return {
    EMBEDDING_SIMILARITY: cosine,
    TWO_WAY_IDENTIFICATION: flat
      ? 'the network gives a vector that never changes'
      : others.length === 0
        ? 'there is only one picture seen, and no other to tell it from'
        : shareIdentified(r[own]!, others),
  };
}

/** How near a whole painting is to what was seen. */
async function compareWhole(
  { lpips }: MetricNetworks,
  painting: RgbImage,
  seen: RgbImage,
): Promise<Measured> {
  if (!alike(painting, seen)) {
    const reason = 'painting and picture seen differ in their proportions; paint on pictures of those seen';
    return { PIX_CORR: reason, SSIM: reason, LPIPS_RECONSTRUCTION: reason };
  }
  const side = COMPARED_SIDE_PX;
  const [a, b] = [await resizeRgb(painting, side, side), await resizeRgb(seen, side, side)];
  return {
    PIX_CORR: orReason(pearson(a.data, b.data), FLAT),
    SSIM: structuralSimilarity(greyOf(a.data), greyOf(b.data), side, side),
    LPIPS_RECONSTRUCTION: typeof lpips === 'string' ? lpips : await lpips(painting, seen),
  };
}

/** Whether what should be kept is kept. */
async function compareKept(
  { lpips }: MetricNetworks,
  painting: RgbImage,
  source: RgbImage,
  mask: MaskImage,
): Promise<Measured> {
  const box = maskBounds(mask)!;
  const bandPx = Math.max(1, Math.round(BAND_SHARE * Math.max(box.x1 - box.x0, box.y1 - box.y0)));
  return {
    OUTSIDE_DIFFERENT_PIXELS: countDifferentOutside(painting, source, mask),
    LPIPS_OUTSIDE_MASK:
      typeof lpips === 'string' ? lpips : await lpips(hide(painting, mask), hide(source, mask)),
    BOUNDARY_BAND_ERROR: boundaryBandError(painting.data, source.data, mask, bandPx),
  };
}

/** Tells the networks, and then each cell with what was measured of it. Throws AppError, CANCELLED when aborted. */
export async function measureCells(
  message: MeasureMessage,
  blobs: Blobs,
  tell: (event: MeasureEvent) => void,
  abort: AbortSignal,
  alive: () => void,
): Promise<void> {
  const read = async (sha256: string) => decodeRgb(await blobs.get(sha256), 'picture');
  const networks = await openMetricNetworks(message);
  try {
    tell({ type: 'networks', networks: networks.used });
    const { embed } = networks;
    const seen: Seen[] = [];
    for (const sha256 of message.stimuli) {
      const picture = await read(sha256);
      seen.push({ picture, embedding: typeof embed === 'string' ? undefined : await embed(picture) });
      alive();
    }
    let item: { id: string; source: RgbImage; mask: MaskImage } | undefined;
    const open = async ({ itemId, sourceSha256, maskSha256 }: CellInput) => {
      if (item?.id === itemId) return item;
      const source = await read(sourceSha256);
      const data = new Uint8Array(await blobs.get(maskSha256));
      item = { id: itemId, source, mask: { width: source.width, height: source.height, data } };
      return item;
    };
    for (const cell of message.cells) {
      // Lets an abort and a lost parent be heard between two paintings.
      await new Promise((resolve) => setImmediate(resolve));
      if (abort.aborted) throw new AppError('CANCELLED', 'stopped while measuring');
      const { source, mask } = await open(cell);
      const painting = await read(cell.paintingSha256);
      const { stimulus, whole } = cell;
      const reason = (...metrics: (keyof Measured)[]) =>
        Object.fromEntries(metrics.map((metric) => [metric, stimulus])) as Measured;
      const measured: Measured = {
        ...(typeof stimulus === 'string'
          ? reason('TWO_WAY_IDENTIFICATION', 'EMBEDDING_SIMILARITY')
          : await compareEmbeddings(networks, painting, mask, stimulus, seen)),
        ...(!whole
          ? await compareKept(networks, painting, source, mask)
          : typeof stimulus === 'string'
            ? reason('PIX_CORR', 'SSIM', 'LPIPS_RECONSTRUCTION')
            : await compareWhole(networks, painting, seen[stimulus]!.picture)),
      };
      tell({ type: 'cell', itemId: cell.itemId, armId: cell.armId, measured });
      alive();
    }
  } finally {
    await networks.close();
  }
}
