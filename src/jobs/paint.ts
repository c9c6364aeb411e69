// One attempt at one paint job, from its row to its paintings.

import { isAppError } from '../errors.js';
import { decodeRgb, encodePng, encodeThumbnail } from '../imaging/decode.js';
import type { PaintEvent, PaintMessage } from '../painter/messages.js';
import { InferenceFailedError, type InferenceProcess } from '../runtime/inference-process.js';
import type { Services } from '../services/context.js';
import { pauseOwnDevice } from '../services/devices.js';
import {
  type ClaimedJob,
  type FinishedPainting,
  finishPaintJob,
  releasePaintJob,
  reportProgress,
  savePreview,
} from '../services/paint-job-attempts.js';
import { meanSignal } from '../services/subjects.js';
import { jobRunSeconds, jobWaitSeconds, stepSeconds } from '../telemetry/metrics.js';

const PREVIEW_PX = 128;

/** How an attempt is counted whose error has one of these codes; any other has failed. */
const OUTCOMES: Readonly<Record<string, string>> = { CANCELLED: 'CANCELLED', UNAVAILABLE: 'RELEASED' };

async function gather(services: Services, jobId: string): Promise<PaintMessage> {
  const job = await services.store.prisma.paintJob.findUniqueOrThrow({
    where: { id: jobId },
    include: { image: true, mask: true, model: true, trials: true },
  });
  // A shuffled job paints by the other stimulus' trials; the job keeps both, so that anyone can see which.
  const trialIds = job.trials
    .filter((trial) => trial.shuffled === (job.method === 'SHUFFLED_BRAIN'))
    .map((trial) => trial.trialId);
  const [source, mask, signal] = await Promise.all([
    services.blobs.get(job.image.pngSha256).then((png) => decodeRgb(png, 'image')),
    services.blobs.get(job.mask.sha256),
    job.method === 'NO_BRAIN' ? undefined : meanSignal(services, trialIds),
  ]);
  return {
    bundleFolder: job.model.folder,
    bundleHash: job.model.hash,
    source,
    mask: { width: source.width, height: source.height, data: new Uint8Array(mask) },
    signal,
    twoStage: job.method === 'TWO_STAGE',
    seed: Number(job.seed),
    paintings: job.paintingCount,
    steps: job.steps,
    guidanceScale: job.guidanceScale,
  };
}

/**
 * Runs one attempt at a claimed job. A worker that shuts down gives it back; so does one whose disk is full, and pauses its
 * device: the next job would fare no better. Throws only for what is worth another
 * attempt: a lost child, a lost database.
 */
export async function runPaintJob(
  services: Services,
  inference: InferenceProcess<PaintMessage, PaintEvent>,
  job: ClaimedJob,
  shutdown: AbortSignal,
): Promise<void> {
  const abort = new AbortController();
  const onShutdown = () => abort.abort();
  shutdown.addEventListener('abort', onShutdown, { once: true });
  const finished: Promise<FinishedPainting>[] = [];
  let writing: Promise<void> = Promise.resolve();
  const started = performance.now();
  let [steps, stepsSince] = [0, started];
  if (job.attempt === 1) jobWaitSeconds.observe((Date.now() - job.createdAt.getTime()) / 1000);
  const ended = (outcome: string) => jobRunSeconds.observe({ outcome }, (performance.now() - started) / 1000);
  const onEvent = (event: PaintEvent) => {
    if (event.type === 'painting') {
      const { index, image, outsideMaskDifferentPixels } = event;
      const stored = (async () => {
        const [pngSha256, thumbnailSha256] = await Promise.all([
          encodePng(image).then((png) => services.blobs.put(png)),
          encodeThumbnail(image).then((thumbnail) => services.blobs.put(thumbnail)),
        ]);
        return { index, outsideMaskDifferentPixels, pngSha256, thumbnailSha256 };
      })();
      stored.catch(() => {});
      finished.push(stored);
      return;
    }
    if (event.type === 'preview') {
      // One that cannot be kept is not missed.
      encodeThumbnail(event.image, PREVIEW_PX)
        .then((webp) => savePreview(services, job, event.done, webp))
        .catch(() => {});
      return;
    }
    const now = performance.now();
    const each = (now - stepsSince) / 1000 / (event.done - steps);
    for (; steps < event.done; steps++) stepSeconds.observe(each);
    stepsSince = now;
    writing = writing
      .then(() => reportProgress(services, job, event.done, event.total))
      .then((wanted) => {
        if (!wanted) abort.abort();
      });
    writing.catch(() => abort.abort());
  };
  try {
    await inference.run(await gather(services, job.id), onEvent, abort.signal);
    await writing;
    await finishPaintJob(services, job, { state: 'SUCCEEDED', paintings: await Promise.all(finished) });
    ended('SUCCEEDED');
  } catch (error) {
    if (shutdown.aborted) {
      ended('RELEASED');
      return releasePaintJob(services, job);
    }
    // A row that could not be written stopped the child too, and nobody has cancelled.
    await writing;
    // A failure without a code is a fault of ours: it is logged, tried again, and never shown.
    const known = isAppError(error) || (error instanceof InferenceFailedError && error.code !== undefined);
    if (!known) {
      ended('LOST');
      throw error;
    }
    ended(OUTCOMES[error.code!] ?? 'FAILED');
    if (error.code === 'UNAVAILABLE') {
      await pauseOwnDevice(services, job.workerId!, error.message);
      await releasePaintJob(services, job, error.message);
    } else if (error.code === 'CANCELLED') await finishPaintJob(services, job, { state: 'CANCELLED' });
    else {
      await finishPaintJob(services, job, {
        state: 'FAILED',
        errorCode: error.code!,
        errorMessage: error.message,
      });
    }
  } finally {
    shutdown.removeEventListener('abort', onShutdown);
  }
}
