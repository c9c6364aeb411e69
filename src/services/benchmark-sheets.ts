// Figure sheets of a benchmark, as in the paper: results side by side per pair, one picture under many brains, and
// reconstructions beside the stimulus seen.

import { AppError } from '../errors.js';
import { makeContactSheet, type SheetCell, tintMask } from '../imaging/contact-sheet.js';
import { decodeRgb } from '../imaging/decode.js';
import type { RgbImage } from '../imaging/types.js';
import { findBenchmark, ITEM_PARTS, type ItemWithParts } from './benchmarks.js';
import type { Services } from './context.js';
import { bad } from './paint-job-orders.js';

export type SheetKind = 'PAIRS' | 'BRAINS' | 'RECONSTRUCTIONS';

/** Rows of a sheet of pairs or reconstructions, columns of one of brains. */
const MAX_ON_SHEET = 20;

const noPicture = 'not there';

/** Reads pictures, each file once. */
function pictureReader({ blobs }: Services) {
  const read = new Map<string, Promise<RgbImage>>();
  return (sha256: string): Promise<RgbImage> => {
    const known = read.get(sha256) ?? blobs.get(sha256).then((bytes) => decodeRgb(bytes, 'picture'));
    read.set(sha256, known);
    return known;
  };
}

/** Pictures of the stimuli by name; names without a picture are absent. */
async function stimuliOf({ store }: Services, items: readonly ItemWithParts[]): Promise<Map<string, string>> {
  const names = [...new Set(items.flatMap(({ stimulus }) => stimulus ?? []))];
  const rows = await store.prisma.stimulus.findMany({
    where: { name: { in: names } },
    include: { image: true },
  });
  return new Map(rows.map(({ name, image }) => [name, image.pngSha256]));
}

/** The sheet as PNG. Throws AppError NOT_FOUND, or BAD_INPUT where the benchmark has nothing to show on it. */
export async function benchmarkSheet(
  services: Services,
  id: string,
  kind: SheetKind,
  { from = 0, imageId }: { readonly from?: number | undefined; readonly imageId?: string | undefined } = {},
): Promise<Buffer> {
  const benchmark = await findBenchmark(services, id);
  if (!benchmark) throw new AppError('NOT_FOUND', 'no such benchmark', { field: 'id' });
  if (!Number.isInteger(from) || from < 0) bad('from', 'from must be a whole number from 0');
  const { prisma } = services.store;
  const shown =
    imageId ??
    (kind === 'BRAINS'
      ? (await prisma.benchmarkItem.findFirst({ where: { benchmarkId: id, position: from } }))?.imageId
      : undefined);
  const items = await prisma.benchmarkItem.findMany({
    where: {
      benchmarkId: id,
      ...(kind === 'BRAINS'
        ? shown === undefined
          ? { position: from }
          : { imageId: shown }
        : { position: { gte: from } }),
      ...(kind === 'RECONSTRUCTIONS' ? { mask: { coverage: { gte: 1 } } } : {}),
    },
    orderBy: { position: 'asc' },
    take: MAX_ON_SHEET,
    include: ITEM_PARTS,
  });
  if (items.length === 0)
    bad(
      'from',
      kind === 'RECONSTRUCTIONS'
        ? 'no item here is painted whole; use a full mask'
        : 'no item has this position',
    );
  const read = pictureReader(services);
  const stimuli = await stimuliOf(services, items);
  const seen = async ({ stimulus }: ItemWithParts): Promise<SheetCell> => {
    const sha256 = stimulus === null ? undefined : stimuli.get(stimulus);
    return sha256 ? { image: await read(sha256), caption: 'seen' } : { caption: stimulus ?? noPicture };
  };
  const painted = async (cell: ItemWithParts['cells'][number]): Promise<SheetCell> => {
    const [painting] = cell.job.withdrawnAt ? [] : cell.job.paintings;
    return painting
      ? { image: await read(painting.pngSha256), caption: cell.arm.name }
      : { caption: `${cell.arm.name} ${cell.job.state}` };
  };
  const source = async ({ image, mask, position }: ItemWithParts): Promise<SheetCell> => {
    const rgb = await read(image.pngSha256);
    const data = await services.blobs.get(mask.sha256);
    return {
      image: tintMask(rgb, { width: rgb.width, height: rgb.height, data }),
      caption: `pair ${position + 1}`,
    };
  };
  if (kind === 'BRAINS') {
    const arms = items[0]!.cells.length;
    const top = [await source(items[0]!), ...(await Promise.all(items.map(seen)))];
    const rows = await Promise.all(
      Array.from({ length: arms }, async (_, arm) => [
        { caption: items[0]!.cells[arm]!.arm.name },
        ...(await Promise.all(items.map((item) => painted(item.cells[arm]!)))),
      ]),
    );
    return makeContactSheet([top, ...rows]);
  }
  return makeContactSheet(
    await Promise.all(
      items.map(async (item) => [
        ...(kind === 'PAIRS' ? [await source(item)] : []),
        await seen(item),
        ...(await Promise.all(item.cells.map(painted))),
      ]),
    ),
  );
}
