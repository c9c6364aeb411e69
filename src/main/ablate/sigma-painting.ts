// How noisy should pseudo signals be when diffusion is trained? The brain networks are the bundle's throughout.

import { TOY } from '../toy/settings.js';
import { diffusionCells } from './diffusion-bench.js';
import type { Experiment } from './experiment.js';
import { LEVELS } from './sigma.js';
import { openSignalTests, SIGNAL_FIGURES, signalPanels } from './signal-tests.js';

export const sigmaPainting: Experiment = {
  name: 'sigma-painting',
  about: 'noise level on the pseudo signals that diffusion is trained with',
  columns: ['sigma'],
  figures: SIGNAL_FIGURES,
  cells: (options) =>
    diffusionCells(
      options,
      'signals',
      [...LEVELS, { name: TOY.diffusionSigma.join('-'), sigma: TOY.diffusionSigma }].map(
        ({ name, sigma }) => ({
          labels: [name],
          diffusion: { condition: 'pseudo signal', sigma, masks: [0.5, 0.3, 0.2] },
        }),
      ),
    ),
  open: openSignalTests,
  panels: (rows) => signalPanels(rows, 'sigma in training'),
};
