// Tests of a UNet by how it was conditioned in training: real held-out signals, and the kind of condition it knows.

import { inpaintingPlace } from '../toy/pairs.js';
import { asGiven, atAdapterLength, type DiffusionSettings, openDiffusionBench } from './diffusion-bench.js';
import type { Bench, Figures, Options, Row } from './experiment.js';
import { barPanel, byTest, paintingPanels } from './panels.js';
import type { Panel } from './plot.js';

const GUIDANCE = 3;

export const SIGNAL_FIGURES = {
  error3: 'error, real mean of 3',
  error1: 'error, real 1 trial',
  errorOwn: 'error, own kind',
  meanIdentification: 'two-way, real mean of 3',
  singleIdentification: 'two-way, real 1 trial',
  ownIdentification: 'two-way, own kind',
  meanAccuracy: 'kind judged, real mean of 3',
  singleAccuracy: 'kind judged, real 1 trial',
  ownAccuracy: 'kind judged, own kind',
};

/**
 * Denoising error of the stimuli under a full mask, and inpainting of held-out pairs: by A(B) of real trials for every
 * UNet alike, and by the condition of its own training without noise (A(G(Z)) or Z): what the change of kind costs.
 */
export async function openSignalTests(options: Options): Promise<Bench> {
  const bench = await openDiffusionBench(options);
  const { studio, pseudoSignals } = bench;
  const { heldOut, photographs } = studio;
  const stimuli = await bench.testPool('full');
  const placeOf = (pair: number) => inpaintingPlace(pair, photographs);
  const rowOf = (rows: Float32Array, size: number) => (pair: number) =>
    rows.subarray(pair * size, (pair + 1) * size);

  return {
    async measure({ settings }, checkpoints) {
      const { condition } = settings as unknown as DiffusionSettings;
      const unet = await bench.train(settings, checkpoints);
      const byEmbedding = condition === 'embedding';
      const direct = atAdapterLength(heldOut.embeddings, heldOut.embeddingSize);
      const own = byEmbedding ? direct : await bench.adapt(pseudoSignals);
      const error = (conditions: Float32Array) =>
        bench.denoisingError(unet, { ...stimuli, embeddings: conditions }, asGiven);
      const shared = { placeOf, guidanceScale: GUIDANCE };
      const real = async (name: string, repetitions: number): Promise<Figures> =>
        studio.score({
          ...shared,
          name,
          painter: bench.painterWith(unet, 'own'),
          signalOf: rowOf(bench.realSignals(repetitions), heldOut.voxels),
        });
      const figures = {
        error3: await error(await bench.adapt(bench.realSignals(3))),
        error1: await error(await bench.adapt(bench.realSignals(1))),
        errorOwn: await error(own),
        ...(await real('mean', 3)),
        ...(await real('single', 1)),
        ...(await studio.score({
          ...shared,
          name: 'own',
          painter: bench.painterWith(unet),
          signalOf: rowOf(own, heldOut.embeddingSize),
        })),
      };
      await unet.close();
      return figures;
    },
    close: bench.close,
  };
}

/** Denoising error, identification and (where judged) accuracy, a bar for each kind of signal in the test. */
export function signalPanels(rows: readonly Row[], xLabel: string): Panel[] {
  const tests = ([mean, single, own]: readonly [string, string, string]) => ({
    [mean]: 'real, mean of 3',
    [single]: 'real, single trial',
    [own]: 'own kind',
  });
  const title = { title: 'Denoising error, full mask', yLabel: 'squared error of v' };
  const errors = byTest(rows, tests(['error3', 'error1', 'errorOwn']));
  return [
    barPanel(errors, { x: 0, series: 1, figure: 'value', xLabel, ...title }),
    ...paintingPanels(rows, barPanel, xLabel, tests(['mean', 'single', 'own'])),
  ];
}
