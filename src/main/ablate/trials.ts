// How much scanning is enough? Learning curves over training stimuli, each seen once or three times.

import type { AdapterSignals } from '../../train/objectives.js';
import { TOY } from '../toy/settings.js';
import { brainCells, openBrainBench } from './brain-bench.js';
import type { Experiment, Options, Row } from './experiment.js';
import { linePanel } from './panels.js';

const SIGNALS: readonly AdapterSignals[] = ['both', 'real'];

const cells = (options: Options) =>
  brainCells(
    options,
    (options.stimuli ?? [100, 300, 1000, 3000, 9000]).flatMap((stimuli) =>
      [1, 3].flatMap((repetitions) =>
        SIGNALS.map((signals) => ({
          labels: [stimuli, repetitions, signals],
          brain: { stimuli, repetitions, signals, sigma: TOY.sigma },
        })),
      ),
    ),
  );

/** Rows by trials in all, one curve for each number of repetitions and kind of signal. */
const byTrials = (rows: readonly Row[]): Row[] =>
  rows.map((row) => {
    const [stimuli, repetitions, signals] = row.labels as [number, number, string];
    return { ...row, labels: [stimuli * repetitions, `${signals}, ${repetitions} x`] };
  });

export const trials: Experiment = {
  name: 'trials',
  about:
    'learning curves of both brain networks over the number of training stimuli, each seen once or three times',
  columns: ['stimuli', 'repetitions', 'trained on'],
  figures: {
    correlation: 'G(Z) with voxels, r',
    ceiling: 'noise ceiling, r',
    forward1: 'brain to image, 1 trial',
    forward3: 'brain to image, mean of 3',
    kind1: 'kind, 1 trial',
    kind3: 'kind, mean of 3',
  },
  cells,
  open: async (options) => openBrainBench(options, await cells(options)),
  panels: (rows) => {
    const by = { x: 0, series: 1, xLabel: 'training trials' };
    const ceiling = rows[0]!.figures.ceiling!.mean;
    const generator = byTrials(rows.filter((row) => row.labels[2] === 'both')).map((row) => ({
      ...row,
      labels: [row.labels[0]!, String(row.labels[1]).replace('both, ', 'generator, ')],
    }));
    return [
      {
        ...linePanel(generator, {
          ...by,
          figure: 'correlation',
          yLabel: 'r, mean over voxels',
          title: 'Pseudo brain generator',
        }),
        references: [{ name: 'noise ceiling', y: ceiling }],
      },
      linePanel(byTrials(rows), {
        ...by,
        figure: 'forward1',
        yLabel: 'top-1 retrieval',
        title: 'Retrieval, single trials',
      }),
      linePanel(byTrials(rows), {
        ...by,
        figure: 'forward3',
        yLabel: 'top-1 retrieval',
        title: 'Retrieval, mean of three',
      }),
    ];
  },
};
