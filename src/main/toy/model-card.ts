// The model card of the toy bundle: what it was trained on, how long, and what was measured. Text only.

import { KINDS } from '../../toy/kinds.js';
import type { StageResult } from '../../train/stage.js';
import type { Readout } from './readout.js';
import { PLAN, TOY } from './settings.js';

export interface CardFacts {
  readonly results: Readonly<Record<string, StageResult>>;
  readonly readouts: readonly Readout[];
  /** Steps of the diffusion stage behind these weights. */
  readonly step: number;
  readonly photographs: number;
  readonly attribution: string;
  readonly machine: string;
  /** What else a reader should know of how these weights came to be; may be empty. */
  readonly note: string;
}

export function modelCard(facts: CardFacts): string {
  const rows = Object.entries(facts.results).map(([name, result]) => {
    const { plan } = result;
    const loss = result.losses.at(-1)?.loss.toFixed(4) ?? '-';
    const minutes = (result.seconds / 60).toFixed(1);
    return `| ${name} | ${result.parameterCount.toLocaleString('en')} | ${plan.steps} x ${plan.batch} | ${minutes} | ${loss} |`;
  });
  return `# The toy bundle of MindPainter

Paints drawn objects into ${TOY.imageSizePx} x ${TOY.imageSizePx} pixel crops by the signal of a **simulated** subject.
No person was scanned for it; it shows that the method and the platform work, and says nothing about brains.

- World: ${KINDS.length} kinds of drawn object (${KINDS.join(', ')}) in ${TOY.colours} colours, on drawn backgrounds and on
  crops of ${facts.photographs} photographs.${facts.attribution ? ` ${facts.attribution}` : ''}
  The diffusion also saw parts of ${TOY.placeCrops[0]} larger drawn places.${facts.note ? ` ${facts.note}` : ''}
- Subject: ${TOY.voxels} simulated voxels, z-scored by session; single trials are noisy, repetitions average.
- Losses and masks as in the paper: PBG by squared error, BA by the symmetric contrastive loss (tau ${TOY.tau}) on real and
  pseudo signals, diffusion on pseudo signals only (noise: sigma ${TOY.sigma.join(' to ')} for the
  adapter, ${TOY.diffusionSigma.join(' to ')} for the diffusion, times the residual of a training
  trial, condition dropout ${TOY.conditionDropout}), masks inpaint / outpaint / random at 0.5 / 0.3 / 0.2.
- Weights are moving averages, stored in half precision, computed in single precision.
- Diffusion steps behind these weights: ${facts.step} of ${PLAN.diffusion.steps} planned.
- Machine: ${facts.machine}.

| network | parameters | steps x batch | minutes | last loss |
|---|---|---|---|---|
${rows.join('\n')}

Of 300 held-out stimuli, by the adapted signal:

| repetitions averaged | retrieval brain to image (top 1, chance 1/300) | image to brain | kind read out (chance 1/${KINDS.length}) |
|---|---|---|---|
${facts.readouts.map((r) => `| ${r.repetitions} | ${r.retrieval.forward.mean.toFixed(3)} | ${r.retrieval.backward.mean.toFixed(3)} | ${r.kindAccuracy.toFixed(3)} |`).join('\n')}

Painting accuracy: \`npm run eval:toy\`.

Command: \`npm run train:toy -- --photographs FOLDER\`.
`;
}
