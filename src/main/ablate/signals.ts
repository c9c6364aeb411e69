// Does the brain adapter need pseudo signals? Trained on real signals, on pseudo signals, or (as in the paper) on both.

import type { AdapterSignals } from '../../train/objectives.js';
import { TOY } from '../toy/settings.js';
import { brainCells, openBrainBench } from './brain-bench.js';
import type { Experiment, Options } from './experiment.js';
import { linePanel } from './panels.js';

const SIGNALS: readonly AdapterSignals[] = ['real', 'pseudo', 'both'];

const cells = (options: Options) =>
  brainCells(
    options,
    (options.stimuli ?? [300, 1000, 3000]).flatMap((stimuli) =>
      SIGNALS.map((signals) => ({
        labels: [stimuli, signals],
        brain: { stimuli, repetitions: 3, signals, sigma: TOY.sigma },
      })),
    ),
  );

export const signals: Experiment = {
  name: 'signals',
  about:
    'brain adapter trained on real signals, pseudo signals or both, at several numbers of training stimuli',
  columns: ['stimuli', 'trained on'],
  figures: {
    forward1: 'brain to image, 1 trial',
    forward3: 'brain to image, mean of 3',
    backward1: 'image to brain, 1 trial',
    backward3: 'image to brain, mean of 3',
    identification1: 'two-way, 1 trial',
    identification3: 'two-way, mean of 3',
    kind1: 'kind, 1 trial',
    kind3: 'kind, mean of 3',
  },
  cells,
  open: async (options) => openBrainBench(options, await cells(options)),
  panels: (rows) => {
    const by = { x: 0, series: 1, xLabel: 'training stimuli' };
    return [
      linePanel(rows, {
        ...by,
        figure: 'forward1',
        yLabel: 'top-1 retrieval',
        title: 'Retrieval, single trials',
      }),
      linePanel(rows, {
        ...by,
        figure: 'forward3',
        yLabel: 'top-1 retrieval',
        title: 'Retrieval, mean of three',
      }),
      linePanel(rows, { ...by, figure: 'kind3', yLabel: 'kind read out', title: 'Kind, mean of three' }),
    ];
  },
};
