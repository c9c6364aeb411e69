// Is the pseudo brain generator needed? Diffusion trained by pseudo signals, noisy or clean, or by the embedding itself.

import { TOY } from '../toy/settings.js';
import { type DiffusionSettings, diffusionCells } from './diffusion-bench.js';
import type { Experiment } from './experiment.js';
import { openSignalTests, SIGNAL_FIGURES, signalPanels } from './signal-tests.js';

const MASKS = [0.5, 0.3, 0.2] as const;
const GRID: readonly { labels: readonly string[]; diffusion: DiffusionSettings }[] = [
  {
    labels: ['A(G(Z) + noise)'],
    diffusion: { condition: 'pseudo signal', sigma: TOY.diffusionSigma, masks: MASKS },
  },
  { labels: ['A(G(Z))'], diffusion: { condition: 'pseudo signal', sigma: [0, 0], masks: MASKS } },
  { labels: ['Z'], diffusion: { condition: 'embedding', sigma: [0, 0], masks: MASKS } },
];

export const conditioning: Experiment = {
  name: 'conditioning',
  about:
    'diffusion conditioned on noisy or clean pseudo signals, or on the embedding, then tested with real signals',
  columns: ['trained on'],
  figures: SIGNAL_FIGURES,
  cells: (options) => diffusionCells(options, 'signals', GRID),
  open: openSignalTests,
  panels: (rows) => signalPanels(rows, 'condition in training'),
};
