// How strongly should the signal steer? Guidance scales with a finished bundle; nothing is trained.

import { openPainter } from '../../painter/painter.js';
import { signalOf } from '../../train/brain-data.js';
import { inpaintingPlace } from '../toy/pairs.js';
import type { Experiment, Options } from './experiment.js';
import { linePanel, paintingPanels } from './panels.js';
import { openStudio, studioSettings } from './studio.js';

const SCALES = [1, 1.5, 2, 3, 4, 6];

export const guidance: Experiment = {
  name: 'guidance',
  about: 'guidance scale of a finished bundle',
  columns: ['guidance'],
  figures: {
    meanAccuracy: 'kind judged, mean of 3',
    meanIdentification: 'two-way, mean of 3',
    singleAccuracy: 'kind judged, 1 trial',
    singleIdentification: 'two-way, 1 trial',
  },
  async cells(options: Options) {
    const shared = await studioSettings(options);
    return SCALES.map((scale) => ({
      name: `scale-${scale}`,
      labels: [scale],
      settings: { bench: 'guidance', scale, ...shared },
    }));
  },
  async open(options) {
    const studio = await openStudio(options);
    const painter = await openPainter(studio.bundle, options.threads ? { threads: options.threads } : {});
    const placeOf = (pair: number) => inpaintingPlace(pair, studio.photographs);
    return {
      async measure({ settings }) {
        const shared = { painter, placeOf, guidanceScale: Number(settings.scale) };
        const paintWith = (name: string, repetitions: number) =>
          studio.score({ ...shared, name, signalOf: (pair) => signalOf(studio.heldOut, pair, repetitions) });
        return { ...(await paintWith('mean', 3)), ...(await paintWith('single', 1)) };
      },
      async close() {
        await painter.close();
        await studio.close();
      },
    };
  },
  panels: (rows) =>
    paintingPanels(rows, linePanel, 'guidance scale', { mean: 'mean of three', single: 'single trial' }),
};
