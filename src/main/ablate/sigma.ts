// How noisy should pseudo signals be? The level in the brain adapter's training; sigma 1 is a single trial's residual.

import type { AdapterSignals } from '../../train/objectives.js';
import { brainCells, openBrainBench } from './brain-bench.js';
import type { Experiment, Options } from './experiment.js';
import { barPanel } from './panels.js';

/** Fixed levels, and the range that the toy is trained with. */
export const LEVELS: readonly { name: string; sigma: readonly [number, number] }[] = [
  { name: '0', sigma: [0, 0] },
  { name: '0.3', sigma: [0.3, 0.3] },
  { name: '0.6', sigma: [0.6, 0.6] },
  { name: '1.0', sigma: [1, 1] },
  { name: '0.4-1.1', sigma: [0.4, 1.1] },
];
const SIGNALS: readonly AdapterSignals[] = ['pseudo', 'both'];

const cells = (options: Options) =>
  brainCells(
    options,
    (options.stimuli ?? [1000]).flatMap((stimuli) =>
      LEVELS.flatMap(({ name, sigma }) =>
        SIGNALS.map((signals) => ({
          labels: [stimuli, signals, name],
          brain: { stimuli, repetitions: 3, signals, sigma },
        })),
      ),
    ),
  );

export const sigma: Experiment = {
  name: 'sigma',
  about: 'noise level on the pseudo signals that the brain adapter is trained with',
  columns: ['stimuli', 'trained on', 'sigma'],
  figures: {
    forward1: 'brain to image, 1 trial',
    forward3: 'brain to image, mean of 3',
    backward1: 'image to brain, 1 trial',
    backward3: 'image to brain, mean of 3',
    kind1: 'kind, 1 trial',
    kind3: 'kind, mean of 3',
  },
  cells,
  open: async (options) => openBrainBench(options, await cells(options)),
  panels: (rows) => {
    const by = { x: 2, series: 1, xLabel: 'sigma' };
    return [
      barPanel(rows, {
        ...by,
        figure: 'forward1',
        yLabel: 'top-1 retrieval',
        title: 'Retrieval, single trials',
      }),
      barPanel(rows, {
        ...by,
        figure: 'forward3',
        yLabel: 'top-1 retrieval',
        title: 'Retrieval, mean of three',
      }),
      barPanel(rows, { ...by, figure: 'kind3', yLabel: 'kind read out', title: 'Kind, mean of three' }),
    ];
  },
};
