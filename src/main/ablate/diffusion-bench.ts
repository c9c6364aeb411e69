// Cells that train a small UNet for a short time on the bundle's own encoders, then test it with held-out real signals.

import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../../errors.js';
import type { MaskMode } from '../../imaging/mask-sampler.js';
import type { Painter } from '../../painter/painter.js';
import { alphasCumprod } from '../../painter/scheduler.js';
import { createRng } from '../../random.js';
import { openSession, type Session } from '../../runtime/session.js';
import { drawScene } from '../../toy/scene.js';
import { signalOf } from '../../train/brain-data.js';
import type { ResidualNoise } from '../../train/brain-stages.js';
import type { DiffusionPool } from '../../train/diffusion-pool.js';
import { type Conditioner, diffusionBatch, pseudoSignalConditioner } from '../../train/diffusion-stage.js';
import { mapRows, rowsOf } from '../../train/rows.js';
import type { StagePlan } from '../../train/stage.js';
import { OWN_SCHEDULER } from '../own-scheduler.js';
import { sampleMasked } from '../toy/batches.js';
import { simulateBrainData, toySubject } from '../toy/brain-data.js';
import {
  type ToyUnetSize,
  toyDiffusionSettings,
  toyPool,
  toyUnetNetwork,
  trainToyDiffusion,
} from '../toy/diffusion.js';
import { reconstructionPlace } from '../toy/pairs.js';
import { progressLine } from '../toy/progress.js';
import { PLAN, TOY } from '../toy/settings.js';
import type { Cell, Figure, Options, Settings } from './experiment.js';
import { hashSettings } from './runner.js';
import { openStudio, type Studio, studioSettings } from './studio.js';

const STEPS = 600;
/** Stimuli whose trials lend their residuals as noise: as many as a session block. */
const NOISE_STIMULI = 750;
const TEST_PICTURES = 256;

/** What a cell trains with. */
export interface DiffusionSettings {
  /** A(G(Z) + noise), as in the paper, or Z itself at the length that the adapter's rows have. */
  readonly condition: 'pseudo signal' | 'embedding';
  readonly sigma: readonly [number, number];
  /** Shares of inpainting, outpainting and random masks. */
  readonly masks: readonly [number, number, number];
}

export async function diffusionCells(
  options: Options,
  tests: 'signals' | 'masks',
  grid: readonly { labels: readonly string[]; diffusion: DiffusionSettings }[],
): Promise<Cell[]> {
  if (options.width % 8 !== 0)
    throw new AppError('BAD_INPUT', `--width must be a multiple of 8, it is ${options.width}`, {
      field: 'width',
    });
  const shared = await studioSettings(options);
  return Array.from({ length: options.seeds }, (_, i) => i + 1).flatMap((seed) =>
    grid.map(({ labels, diffusion }) => ({
      name: [...labels, `seed-${seed}`].join('_').replaceAll(/[^\w.-]+/g, '-'),
      labels,
      settings: {
        bench: 'diffusion',
        tests,
        ...diffusion,
        seed,
        steps: options.steps ?? STEPS,
        width: options.width,
        pool: options.pool,
        ...shared,
      },
    })),
  );
}

/** Everything that the weights depend on: the rest of a cell's settings says how they are tested. */
function trainingSettings(settings: Settings): Settings {
  const { tests, judge, pairs, paintingSteps, ...rest } = settings;
  return rest;
}

/** The identity of conditions that stand in a pool's rows already. */
export const asGiven: Conditioner = (rows) => Promise.resolve(rows);

/** Z at the length of the adapter's rows: then only the direction differs between the two kinds of condition. */
export function atAdapterLength(embeddings: Float32Array, size: number): Float32Array {
  const result = new Float32Array(embeddings.length);
  for (let at = 0; at < embeddings.length; at += size) {
    let sum = 0;
    for (let k = 0; k < size; k++) sum += embeddings[at + k]! ** 2;
    const scale = sum > 0 ? Math.sqrt(size / sum) : 0;
    for (let k = 0; k < size; k++) result[at + k] = embeddings[at + k]! * scale;
  }
  return result;
}

export interface DiffusionBench {
  readonly studio: Studio;
  /** Held-out signals, [pairs, voxels] -> A(B), [pairs, 1024]. */
  adapt(signals: Float32Array): Promise<Float32Array>;
  /** G(Z) of the held-out stimuli, [pairs, voxels]. */
  readonly pseudoSignals: Float32Array;
  /** Mean of the first trials of every held-out stimulus, [pairs, voxels]. */
  realSignals(repetitions: number): Float32Array;
  /** Trains the cell's UNet, or takes it from an earlier run of the same training. */
  train(settings: Settings, checkpoints: string): Promise<Session>;
  /** Held-out pictures with masks of one mode, or of the stimuli under a full mask (row = stimulus). */
  testPool(kind: MaskMode | 'full'): Promise<DiffusionPool>;
  /** Mean squared error of the velocity where the picture is edited; the same noise for every UNet. */
  denoisingError(unet: Session, pool: DiffusionPool, condition: Conditioner): Promise<Figure>;
  /** The paper's condition at the toy's noise. */
  readonly pseudoCondition: Conditioner;
  /** The bundle's painter with another UNet; with `adapter` absent a "signal" is the condition itself. */
  painterWith(unet: Session, adapter?: 'own'): Painter;
  close(): Promise<void>;
}

export async function openDiffusionBench(options: Options): Promise<DiffusionBench> {
  const { folder, say } = options;
  const threads = options.threads ? { threads: options.threads } : {};
  const studio = await openStudio(options);
  const { bundle, heldOut, photographs } = studio;
  const paths = bundle.components;
  const [vaeEncoder, vaeDecoder, brainAdapter, generator] = (await Promise.all(
    [paths.vae_encoder!, paths.vae_decoder!, paths.brain_adapter!, paths.pseudo_brain_generator!].map(
      (path) => openSession(path, threads),
    ),
  )) as [Session, Session, Session, Session];
  const data = await simulateBrainData(
    toySubject(),
    await readFile(paths.image_encoder!),
    NOISE_STIMULI,
    TOY.seeds.train,
    photographs,
  );
  const noise: ResidualNoise = {
    data,
    predicted: await mapRows(generator, data.embeddings, [data.embeddingSize]),
    trials: Array.from(data.stimulusOfTrial, (_, trial) => trial),
    sigma: TOY.diffusionSigma,
  };
  const pseudo = (sigma: readonly [number, number]) =>
    pseudoSignalConditioner(
      { pseudoBrainGenerator: paths.pseudo_brain_generator!, brainAdapter: paths.brain_adapter! },
      { ...noise, sigma },
      threads,
    );
  const paper = await pseudo(TOY.diffusionSigma);
  const networks = { vaeEncoder: paths.vae_encoder!, imageEncoder: paths.image_encoder! };
  const pool = (
    count: number,
    seed: number,
    name: string,
    sample: Parameters<typeof toyPool>[2]['sample'],
  ) => {
    const key = hashSettings({
      bundle: bundle.hash,
      count,
      seed,
      name,
      photographs: options.photographs.join(),
    });
    return toyPool(join(folder, 'parts', `pool-${key}.bin`), networks, {
      count,
      seed,
      sample,
      scale: bundle.conventions.latentScalingFactor,
      ...threads,
      onProgress: (done) => done % 800 === 0 && say(`pool ${done}/${count}`),
    });
  };
  await mkdir(join(folder, 'parts'), { recursive: true });

  return {
    studio,
    adapt: (signals) => mapRows(brainAdapter, signals, [heldOut.voxels]),
    pseudoSignals: await mapRows(generator, heldOut.embeddings, [heldOut.embeddingSize]),
    realSignals: (repetitions) =>
      rowsOf(
        heldOut.specs.map((_, i) => i),
        heldOut.voxels,
        (i, row) => row.set(signalOf(heldOut, i, repetitions)),
      ).data as Float32Array,
    async train(settings, checkpoints) {
      const { condition, sigma, masks, seed } = settings as Settings & DiffusionSettings & { seed: number };
      const training = trainingSettings(settings);
      const width = Number(settings.width);
      const size: ToyUnetSize = {
        ...TOY.unet,
        widths: [width, 2 * width, 3 * width],
        embedding: 4 * width,
      };
      const path = join(folder, 'parts', `unet-${hashSettings(training)}.onnx`);
      if (!existsSync(path)) {
        const shares = { inpaint: masks[0], outpaint: masks[1], random: masks[2] };
        const pictures = await pool(Number(settings.pool), TOY.seeds.train + 99, masks.join(), (rng) =>
          sampleMasked(rng, photographs, shares),
        );
        const conditioner =
          condition === 'embedding'
            ? {
                condition: async (rows: Float32Array) => atAdapterLength(rows, data.embeddingSize),
                close: async () => {},
              }
            : await pseudo(sigma);
        const plan: StagePlan = { ...PLAN.diffusion, steps: Number(settings.steps), emaDecay: 0.99 };
        const { weights } = await trainToyDiffusion(
          pictures,
          plan,
          conditioner.condition,
          { ...threads, folder: checkpoints, seed: 100 * seed + 2, onProgress: (p) => say(progressLine(p)) },
          size,
        );
        await conditioner.close();
        await mkdir(dirname(path), { recursive: true });
        await writeFile(`${path}.tmp`, toyUnetNetwork(weights, size));
        await rename(`${path}.tmp`, path);
      }
      return openSession(path, threads);
    },
    async testPool(kind) {
      if (kind !== 'full') {
        const only = { inpaint: 0, outpaint: 0, random: 0, [kind]: 1 };
        return pool(TEST_PICTURES, TOY.seeds.test + 7000, `test ${kind}`, (rng) =>
          sampleMasked(rng, photographs, only),
        );
      }
      const { mask, box } = reconstructionPlace();
      let next = 0;
      return pool(heldOut.specs.length, TOY.seeds.test, 'stimuli', () => {
        const image = drawScene(heldOut.specs[next++]!, TOY.imageSizePx, photographs);
        return { image, mask, box };
      });
    },
    async denoisingError(unet, pictures, condition) {
      const batch = 32;
      const settings = {
        ...toyDiffusionSettings({ ...PLAN.diffusion, batch }),
        conditionDropout: 0,
        keptWeight: 0,
      };
      const errors: number[] = [];
      for (let i = 0; i < 8; i++) {
        // A generator a batch: conditions that draw noise do not shift the pictures and times of the next batch.
        const rng = createRng(TOY.seeds.test + 8000 + i);
        const { target, weight, ...feeds } = await diffusionBatch(
          rng,
          pictures,
          settings,
          alphasCumprod(OWN_SCHEDULER),
          condition,
        );
        const predicted = (await unet.run(feeds))[unet.outputs[0]!.name]!.data as Float32Array;
        errors.push(weightedError(predicted, target!.data as Float32Array, weight!.data as Float32Array));
      }
      return { mean: errors.reduce((sum, x) => sum + x, 0) / errors.length };
    },
    pseudoCondition: paper.condition,
    painterWith(unet, adapter) {
      const passOn: Session = {
        ...brainAdapter,
        run: async (feeds) => ({ [brainAdapter.outputs[0]!.name]: Object.values(feeds)[0]! }),
        close: async () => {},
      };
      return {
        bundle: adapter
          ? bundle
          : { ...bundle, conventions: { ...bundle.conventions, voxels: bundle.conventions.conditionSize } },
        unet,
        vaeEncoder,
        vaeDecoder,
        brainAdapter: adapter ? brainAdapter : passOn,
        mapper: undefined,
        imageEncoder: async () => {
          throw new AppError('UNSUPPORTED', 'ablations compare networks: one candidate a painting');
        },
        close: async () => {},
      };
    },
    async close() {
      await paper.close();
      for (const session of [vaeEncoder, vaeDecoder, brainAdapter, generator]) await session.close();
      await studio.close();
    },
  };
}

/** Squared error [batch, channels, y, x] weighted by [batch, 1, y, x], per weighted element. */
function weightedError(predicted: Float32Array, target: Float32Array, weight: Float32Array): number {
  const cells = TOY.latentSide ** 2;
  const channels = TOY.autoencoder.latentChannels;
  let [sum, total] = [0, 0];
  for (let i = 0; i < predicted.length; i++) {
    const w = weight[Math.floor(i / (cells * channels)) * cells + (i % cells)]!;
    sum += w * (predicted[i]! - target[i]!) ** 2;
    total += w;
  }
  return sum / total;
}
