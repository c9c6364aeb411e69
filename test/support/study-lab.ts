// A lab with a benchmark for tests: small pictures, a subject with a trial a stimulus, a model that nothing paints with, and
// jobs that are ended by hand.

import { encodePng } from '../../src/imaging/decode.js';
import type { RgbImage } from '../../src/imaging/types.js';
import { createRng } from '../../src/random.js';
import type { BenchmarkOrder } from '../../src/services/benchmark-orders.js';
import { createBenchmark, freezeBenchmark } from '../../src/services/benchmarks.js';
import type { Services } from '../../src/services/context.js';
import { uploadImage } from '../../src/services/images.js';
import { linkStimuli } from '../../src/services/stimuli.js';

export interface StudyParts {
  readonly subjectId: string;
  readonly modelId: string;
  readonly imageIds: readonly string[];
  /** One trial a stimulus; stimulus i shows picture i. */
  readonly trialIds: readonly string[];
}

/** A picture of noise, another for each seed. */
export function noise(seed: number, sidePx = 32): RgbImage {
  const rng = createRng(seed);
  return {
    width: sidePx,
    height: sidePx,
    data: Uint8Array.from({ length: sidePx * sidePx * 3 }, () => rng.int(256)),
  };
}

export async function writeStudyParts(services: Services, count: number): Promise<StudyParts> {
  const { prisma } = services.store;
  const images = [];
  for (let i = 0; i < count; i++) images.push(await uploadImage(services, await encodePng(noise(1000 + i))));
  const subject = await prisma.subject.create({
    data: {
      label: '01',
      simulated: true,
      sessions: {
        create: {
          label: '01',
          voxels: 4,
          constantVoxels: 0,
          normalisation: 'none',
          uploadSha256: 'x',
          betasSha256: 'x',
          trials: {
            create: images.map((_, index) => ({ index, stimulus: `s${index}`, repetition: 1 })),
          },
        },
      },
    },
    include: { sessions: { include: { trials: { orderBy: { index: 'asc' } } } } },
  });
  await linkStimuli(services, {
    stimuli: images.map(({ id }, i) => ({ name: `s${i}`, imageId: id })),
    replace: false,
  });
  const model = await prisma.model.create({
    data: {
      name: 'none',
      hash: 'hash',
      folder: 'none',
      subjectLabel: '01',
      simulated: true,
      voxels: 4,
      imageSizePx: 32,
      defaultSteps: 10,
      defaultGuidanceScale: 2,
    },
  });
  return {
    subjectId: subject.id,
    modelId: model.id,
    imageIds: images.map(({ id }) => id),
    trialIds: subject.sessions[0]!.trials.map(({ id }) => id),
  };
}

/** Each picture with one signal, in two arms: the method and its baseline. */
export function benchmarkOrder(parts: StudyParts, more: Partial<BenchmarkOrder> = {}): BenchmarkOrder {
  return {
    name: 'benchmark',
    imageIds: parts.imageIds,
    signals: parts.trialIds.map((id) => [id]),
    pairing: 'RANDOM',
    seed: 7,
    masks: { preset: { shape: 'rectangle', left: 0.25, top: 0.25, width: 0.5, height: 0.5 } },
    arms: [
      { name: 'mindpainter', method: 'BRAIN', modelId: parts.modelId },
      { name: 'two-stage', method: 'TWO_STAGE', modelId: parts.modelId },
    ],
    ...more,
  };
}

/** Ends every job that waits: with a picture of its own, save the first `failures`. */
export async function endJobs({ store, blobs }: Services, failures = 0, benchmarkId?: string): Promise<void> {
  const waiting = await store.prisma.paintJob.findMany({
    where: { state: 'QUEUED', ...(benchmarkId === undefined ? {} : { cell: { benchmarkId } }) },
    orderBy: { id: 'asc' },
  });
  for (const [i, { id }] of waiting.entries()) {
    if (i < failures) {
      const data = {
        state: 'FAILED',
        errorCode: 'UNAVAILABLE',
        errorMessage: 'no luck',
        finishedAt: new Date(),
      } as const;
      await store.prisma.paintJob.update({ where: { id }, data });
      continue;
    }
    const pngSha256 = await blobs.put(await encodePng(noise(5000 + i)));
    await store.prisma.$transaction([
      store.prisma.paintJob.update({ where: { id }, data: { state: 'SUCCEEDED', finishedAt: new Date() } }),
      store.prisma.painting.create({
        data: { jobId: id, index: 0, pngSha256, thumbnailSha256: pngSha256, outsideMaskDifferentPixels: 0 },
      }),
    ]);
  }
}

/** A frozen benchmark of `count` pairs. */
export async function frozenBenchmark(services: Services, count: number, more: Partial<BenchmarkOrder> = {}) {
  const parts = await writeStudyParts(services, count);
  const benchmark = await createBenchmark(services, benchmarkOrder(parts, more), { submittedBy: 'test' });
  await endJobs(services);
  return { parts, benchmark: await freezeBenchmark(services, benchmark.id) };
}
