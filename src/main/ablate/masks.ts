// Which masks should diffusion be trained with? Each mode alone against the paper's mixture, tested on every use.

import { inpaintingPlace, outpaintingPlace, reconstructionPlace } from '../toy/pairs.js';
import { TOY } from '../toy/settings.js';
import { diffusionCells, openDiffusionBench } from './diffusion-bench.js';
import type { Experiment } from './experiment.js';
import { barPanel, byTest, paintingPanels } from './panels.js';

const POLICIES: readonly { name: string; masks: readonly [number, number, number] }[] = [
  { name: 'inpaint', masks: [1, 0, 0] },
  { name: 'outpaint', masks: [0, 1, 0] },
  { name: 'random', masks: [0, 0, 1] },
  { name: 'mixed', masks: [0.5, 0.3, 0.2] },
];
const TESTS = ['inpaint', 'outpaint', 'full'] as const;
const NAMES: Readonly<Record<(typeof TESTS)[number], string>> = {
  inpaint: 'inpainting',
  outpaint: 'outpainting',
  full: 'full mask',
};
const GUIDANCE = 3;

export const masks: Experiment = {
  name: 'masks',
  about: 'each mask mode alone against 0.5 / 0.3 / 0.2, tested on inpainting, outpainting and full masks',
  columns: ['trained on'],
  figures: Object.fromEntries(
    (['Error', 'Identification', 'Accuracy'] as const).flatMap((figure) =>
      TESTS.map((test) => [
        `${test}${figure}`,
        `${{ Error: 'error', Identification: 'two-way', Accuracy: 'kind judged' }[figure]}, ${NAMES[test]}`,
      ]),
    ),
  ),
  cells: (options) =>
    diffusionCells(
      options,
      'masks',
      POLICIES.map(({ name, masks: shares }) => ({
        labels: [name],
        diffusion: { condition: 'pseudo signal', sigma: TOY.diffusionSigma, masks: shares },
      })),
    ),
  async open(options) {
    const bench = await openDiffusionBench(options);
    const { studio } = bench;
    const places = {
      inpaint: (pair: number) => inpaintingPlace(pair, studio.photographs),
      outpaint: (pair: number) => outpaintingPlace(pair, studio.photographs),
      full: reconstructionPlace,
    };
    return {
      async measure({ settings }, checkpoints) {
        const unet = await bench.train(settings, checkpoints);
        const signals = bench.realSignals(3);
        const figures: Record<string, { mean: number }> = {};
        for (const test of TESTS) {
          const pool = await bench.testPool(test);
          figures[`${test}Error`] = await bench.denoisingError(unet, pool, bench.pseudoCondition);
          Object.assign(
            figures,
            await studio.score({
              name: test,
              painter: bench.painterWith(unet, 'own'),
              placeOf: places[test],
              signalOf: (pair) => signals.subarray(pair * TOY.voxels, (pair + 1) * TOY.voxels),
              guidanceScale: GUIDANCE,
            }),
          );
        }
        await unet.close();
        return figures;
      },
      close: bench.close,
    };
  },
  panels: (rows) => {
    const by = { x: 0, series: 1, figure: 'value', xLabel: 'masks in training' };
    const errors = byTest(rows, Object.fromEntries(TESTS.map((test) => [`${test}Error`, NAMES[test]])));
    return [
      barPanel(errors, { ...by, title: 'Denoising error', yLabel: 'squared error of v' }),
      ...paintingPanels(rows, barPanel, 'masks in training', NAMES),
    ];
  },
};
