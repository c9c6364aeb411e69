// Cells that train the two brain networks on part of the simulated subject's data and read held-out signals with them.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { columnCorrelations, wilsonInterval } from '../../metrics/brain.js';
import { estimateNoiseCeilingSnr, noiseCeilingPercent } from '../../metrics/noise-ceiling.js';
import { loadBundle } from '../../painter/bundle.js';
import { createRng } from '../../random.js';
import { type BrainData, createBrainData, signalOf } from '../../train/brain-data.js';
import { predictSignals } from '../../train/brain-stages.js';
import type { AdapterSignals } from '../../train/objectives.js';
import { rowsOf } from '../../train/rows.js';
import type { StageOptions } from '../../train/stage.js';
import { type SimulatedData, simulateBrainData, toySubject } from '../toy/brain-data.js';
import {
  toyAdapterNetwork,
  toyResidualNoise,
  trainToyAdapter,
  trainToyGenerator,
} from '../toy/brain-networks.js';
import { readPhotographs } from '../toy/photographs.js';
import { progressLine } from '../toy/progress.js';
import { measureReadout } from '../toy/readout.js';
import { PLAN, TOY } from '../toy/settings.js';
import type { Bench, Cell, Figure, Options, Settings } from './experiment.js';
import { hashSettings } from './runner.js';

/** Stimuli of one block of sessions; each block has its own seed, so a longer data set begins with the shorter. */
const BLOCK = 750;
const STEPS = { generator: 300, adapter: 300 };

export interface BrainSettings {
  readonly stimuli: number;
  readonly repetitions: number;
  readonly signals: AdapterSignals;
  readonly sigma: readonly [number, number];
}

/** A cell of the brain bench; `labels` are the experiment's. */
export async function brainCells(
  options: Options,
  grid: readonly { labels: readonly (string | number)[]; brain: BrainSettings }[],
): Promise<Cell[]> {
  const encoder = await readFile((await loadBundle(options.bundle)).components.image_encoder!);
  const imageEncoder = createHash('sha256').update(encoder).digest('hex').slice(0, 12);
  return Array.from({ length: options.seeds }, (_, i) => i + 1).flatMap((seed) =>
    grid.map(({ labels, brain }) => ({
      name: [...labels, `seed-${seed}`].join('_').replaceAll(/[^\w.-]+/g, '-'),
      labels,
      settings: {
        bench: 'brain',
        ...brain,
        seed,
        generatorSteps: options.steps ?? STEPS.generator,
        adapterSteps: options.steps ?? STEPS.adapter,
        generatorHidden: options.hidden ?? TOY.pseudoBrainGenerator.hidden,
        adapterHidden: options.hidden ?? TOY.brainAdapter.hidden,
        heldOut: options.heldOut,
        photographs: options.photographs.join(),
        imageEncoder,
      },
    })),
  );
}

function concatenate(blocks: readonly SimulatedData[]): SimulatedData {
  const { voxels, embeddingSize } = blocks[0]!;
  const join = (parts: readonly Float32Array[]) => {
    const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  };
  const stimulusOfTrial = Int32Array.from(
    blocks.flatMap((block, i) => Array.from(block.stimulusOfTrial, (stimulus) => i * BLOCK + stimulus)),
  );
  return {
    specs: blocks.flatMap((block) => block.specs),
    ...createBrainData({
      voxels,
      embeddingSize,
      betas: join(blocks.map((block) => block.betas)),
      stimulusOfTrial,
      embeddings: join(blocks.map((block) => block.embeddings)),
    }),
  };
}

/** The same data with no more than `repetitions` trials a stimulus. */
const withRepetitions = (data: BrainData, repetitions: number): BrainData => ({
  ...data,
  trialsOf: data.trialsOf.map((trials) => trials.slice(0, repetitions)),
});

/** The generator does not know how the adapter is trained: cells that differ in that alone share it. */
function generatorSettings(settings: Settings): Settings {
  const { signals, sigma, adapterSteps, adapterHidden, heldOut, ...rest } = settings;
  return rest;
}

const meanOf = (values: Float32Array) => {
  const finite = values.filter(Number.isFinite);
  return finite.reduce((sum, x) => sum + x, 0) / finite.length;
};

/** The mean of three trials of every stimulus, [stimuli, voxels]. */
const meansOfThree = (data: SimulatedData) =>
  rowsOf(
    data.specs.map((_, i) => i),
    data.voxels,
    (i, row) => row.set(signalOf(data, i, 3)),
  ).data as Float32Array;

/** The correlation that a perfect model would have with the mean of three trials, mean over voxels. */
function noiseCeiling({ voxels, betas, stimulusOfTrial }: SimulatedData): number {
  const trials = Array.from(stimulusOfTrial, (stimulus) => ({ stimulus, repetition: 1 }));
  const ncsnr = estimateNoiseCeilingSnr([{ betas, trials }], voxels);
  return meanOf(ncsnr.map((snr) => Math.sqrt(noiseCeilingPercent(snr, 3) / 100)));
}

async function measureAdapter(heldOut: SimulatedData, adapter: Uint8Array, threads: { threads?: number }) {
  const figures: Record<string, Figure> = {};
  for (const repetitions of [1, 3]) {
    const readout = await measureReadout(heldOut, adapter, repetitions, createRng(1), threads);
    const { forward, backward } = readout.retrieval;
    Object.assign(figures, {
      [`forward${repetitions}`]: forward,
      [`backward${repetitions}`]: backward,
      [`identification${repetitions}`]: { mean: readout.identification },
      [`kind${repetitions}`]: wilsonInterval(readout.kindAccuracy, heldOut.specs.length),
    });
  }
  return figures;
}

/** Simulates the data that the largest cell needs and measures cells on parts of it. */
export async function openBrainBench(options: Options, cells: readonly Cell[]): Promise<Bench> {
  const { say, folder } = options;
  const threads = options.threads ? { threads: options.threads } : {};
  const encoder = await readFile((await loadBundle(options.bundle)).components.image_encoder!);
  const photographs = await readPhotographs(options.photographs, 1500, createRng(TOY.seeds.train));
  const subject = toySubject();
  const blockCount = Math.ceil(Math.max(...cells.map((cell) => Number(cell.settings.stimuli))) / BLOCK);
  const blocks: SimulatedData[] = [];
  for (let i = 0; i < blockCount; i++) {
    blocks.push(await simulateBrainData(subject, encoder, BLOCK, TOY.seeds.train * 100 + i, photographs));
    say(`scanned ${(i + 1) * BLOCK} of ${blockCount * BLOCK} stimuli`);
  }
  const whole = concatenate(blocks);
  const heldOut = await simulateBrainData(subject, encoder, options.heldOut, TOY.seeds.test, photographs);
  const heldOutMeans = meansOfThree(heldOut);
  const ceiling = noiseCeiling(heldOut);

  return {
    async measure({ settings }, checkpoints) {
      const {
        stimuli: count,
        repetitions,
        signals,
        sigma,
        seed,
      } = settings as Settings & BrainSettings & { seed: number };
      const data = withRepetitions(whole, repetitions);
      const candidates = Array.from({ length: Math.ceil(count / BLOCK) * BLOCK }, (_, i) => i);
      const stimuli = createRng(seed).shuffle(candidates).slice(0, count);
      const size = {
        generator: { ...TOY.pseudoBrainGenerator, hidden: Number(settings.generatorHidden) },
        adapter: { ...TOY.brainAdapter, hidden: Number(settings.adapterHidden) },
      };
      const stage: Omit<StageOptions, 'folder' | 'seed'> = {
        ...threads,
        saveEvery: 100,
        onProgress: (progress) => say(progressLine(progress)),
      };
      const shared = generatorSettings(settings);
      const generator = await trainToyGenerator(
        data,
        stimuli,
        { ...PLAN.pseudoBrainGenerator, steps: Number(settings.generatorSteps) },
        { ...stage, folder: join(folder, 'parts', `generator-${hashSettings(shared)}`), seed: 100 * seed },
        size.generator,
      );
      const noise = await toyResidualNoise(data, generator.weights, stimuli, sigma, size.generator);
      const adapter = await trainToyAdapter(
        noise,
        stimuli,
        { ...PLAN.brainAdapter, steps: Number(settings.adapterSteps) },
        { ...stage, folder: checkpoints, seed: 100 * seed + 1 },
        signals,
        size.adapter,
      );
      const predicted = await predictSignals(heldOut, generator.weights, size.generator);
      return {
        correlation: { mean: meanOf(columnCorrelations(predicted, heldOutMeans, heldOut.voxels)) },
        ceiling: { mean: ceiling },
        ...(await measureAdapter(heldOut, toyAdapterNetwork(adapter.weights, size.adapter), threads)),
      };
    },
    async close() {},
  };
}
