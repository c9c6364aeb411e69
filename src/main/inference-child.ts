// The inference child: opens bundles, paints, and reports. It knows no database and no network, and ends with its parent.

import type { RgbImage } from '../imaging/types.js';
import { loadBundle } from '../painter/bundle.js';
import type { PaintEvent, PaintMessage } from '../painter/messages.js';
import { openPainter, type Painter, paint } from '../painter/painter.js';
import { type ExemplarEncoder, openExemplarEncoder, paintTwoStage } from '../painter/two-stage.js';
import { serveChild } from '../runtime/serve-child.js';

/** Progress is said at most this often: each word of it costs the parent a turn and a write. */
const PROGRESS_MS = 250;

/** Previews come at most so often, and take at most this share of the time. */
const PREVIEW_MS = 1000;
const PREVIEW_SHARE = 0.02;

/** Says when a preview is due, by what the last one cost. */
function createPreview(show: (crop: RgbImage) => void) {
  let begun = performance.now();
  let next = begun + PREVIEW_MS;
  return {
    due() {
      begun = performance.now();
      return begun >= next;
    },
    show(crop: RgbImage) {
      show(crop);
      const now = performance.now();
      next = now + Math.max(PREVIEW_MS, (now - begun) / PREVIEW_SHARE);
    },
  };
}

const painters = new Map<string, Promise<Painter>>();
const exemplarEncoders = new Map<string, Promise<ExemplarEncoder>>();

async function painterFor(folder: string, hash: string): Promise<Painter> {
  const known = painters.get(hash);
  if (known) return known;
  const opening = loadBundle(folder).then((bundle) => {
    if (bundle.hash !== hash)
      throw new Error(`the bundle in ${folder} has changed since it was registered; restart the server`);
    return openPainter(bundle);
  });
  painters.set(hash, opening);
  opening.catch(() => painters.delete(hash));
  return opening;
}

/** Opened at the first two-stage job: most never need it. */
function exemplarEncoderFor(painter: Painter): Promise<ExemplarEncoder> {
  const { hash } = painter.bundle;
  const known = exemplarEncoders.get(hash);
  if (known) return known;
  const opening = openExemplarEncoder(painter);
  exemplarEncoders.set(hash, opening);
  opening.catch(() => exemplarEncoders.delete(hash));
  return opening;
}

serveChild<PaintMessage, PaintEvent>(async (request, tell, abort) => {
  const painter = await painterFor(request.bundleFolder, request.bundleHash);
  let said = performance.now();
  let steps = 0;
  const onStep = (done: number, total: number) => {
    steps = done;
    const now = performance.now();
    if (now - said < PROGRESS_MS && done < total) return;
    said = now;
    tell({ type: 'step', done, total });
  };
  const preview = createPreview((image) => tell({ type: 'preview', done: steps, image }));
  const full = { ...request, onStep, preview, abort };
  const paintings = request.twoStage
    ? paintTwoStage(painter, await exemplarEncoderFor(painter), full)
    : paint(painter, full);
  for await (const painting of paintings) tell({ type: 'painting', ...painting });
});
