// The inference child: opens bundles, paints, and reports. It knows no database and no network, and ends with its parent.

import type { RgbImage } from '../imaging/types.js';
import type { PaintEvent, PaintMessage } from '../painter/messages.js';
import { paint } from '../painter/painter.js';
import { paintTwoStage } from '../painter/two-stage.js';
import { serveChild } from '../runtime/serve-child.js';
import { createPainterCache } from './painter-cache.js';

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

const painters = createPainterCache();

serveChild<PaintMessage, PaintEvent>((request, tell, abort, alive) =>
  painters.use(request.bundleFolder, request.bundleHash, async ({ painter, exemplarEncoder }) => {
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
    const full = { ...request, onStep, onPhase: alive, preview, abort };
    const paintings = request.twoStage
      ? paintTwoStage(painter, await exemplarEncoder(), full)
      : paint(painter, full);
    for await (const painting of paintings) tell({ type: 'painting', ...painting });
  }),
);
