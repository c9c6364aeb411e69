// The model card of the toy bundle: what it was trained on, how long, and what was measured. Text only.

import { KINDS } from '../../toy/kinds.js';
import { PLAN, type Stage, TOY } from './settings.js';
import type { StageResult } from './stage.js';

export interface CardFacts {
  readonly results: Readonly<Record<string, StageResult>>;
  readonly retrieval: { readonly single: number; readonly mean: number };
  /** Steps of the diffusion stage behind these weights. */
  readonly step: number;
  readonly photographs: number;
  readonly attribution: string;
  readonly machine: string;
}

export function modelCard(facts: CardFacts): string {
  const rows = Object.entries(facts.results).map(([name, result]) => {
    const plan = PLAN[name as Stage];
    const loss = result.losses.at(-1)?.loss.toFixed(4) ?? '-';
    const minutes = (result.seconds / 60).toFixed(1);
    return `| ${name} | ${result.parameterCount.toLocaleString('en')} | ${plan.steps} x ${plan.batch} | ${minutes} | ${loss} |`;
  });
  return `# The toy bundle of MindPainter

Paints drawn objects into ${TOY.imageSizePx} x ${TOY.imageSizePx} pixel crops by the signal of a **simulated** subject.
No person was scanned for it; it shows that the method and the platform work, and says nothing about brains.

- World: ${KINDS.length} kinds of drawn object (${KINDS.join(', ')}) in ${TOY.colours} colours, on drawn backgrounds and on
  crops of ${facts.photographs} photographs.${facts.attribution ? ` ${facts.attribution}` : ''}
- Subject: ${TOY.voxels} simulated voxels, z-scored by session; single trials are noisy, repetitions average.
- Losses and masks as in the paper: PBG by squared error, BA by the symmetric contrastive loss (tau ${TOY.tau}) on real and
  pseudo signals, diffusion on pseudo signals only (sigma ${TOY.sigma} of the residual noise, condition dropout
  ${TOY.conditionDropout}), masks inpaint / outpaint / random at 0.5 / 0.3 / 0.2.
- Weights are moving averages, stored in half precision, computed in single precision.
- Diffusion steps behind these weights: ${facts.step} of ${PLAN.diffusion.steps} planned.
- Machine: ${facts.machine}.

| network | parameters | steps x batch | minutes | last loss |
|---|---|---|---|---|
${rows.join('\n')}

Retrieval of 300 held-out stimuli by signal (top 1, chance 1/300): ${facts.retrieval.single.toFixed(3)} with single trials,
${facts.retrieval.mean.toFixed(3)} with the mean of three. Painting accuracy: \`npm run eval:toy\`.

Command: \`npm run train:toy -- --photographs FOLDER\`.
`;
}
