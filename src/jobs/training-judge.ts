// The judge of a run: a classifier of the labels, trained on pictures of training stimuli alone; nothing of the painter's goes
// into it. Which labels it knows, its training, and how often it is right on held-out pictures.

import { wilsonInterval } from '../metrics/brain.js';
import { openSession, type Session } from '../runtime/session.js';
import { type JudgeSize, judgeNetwork, judgeObjective, judgeViews, wholeOf } from '../train/judge.js';
import { judgeBatch } from '../train/judge-batch.js';
import { type StageResult, trainStage } from '../train/stage.js';
import { openPoolPictures } from './pool-pictures.js';
import type { HeldOutMetric, TrainMessage } from './training-messages.js';
import type { Run } from './training-networks.js';

/** A stimulus (a row of the message) and its label, as an index into the labels that the judge knows. */
export interface Labelled {
  readonly row: number;
  readonly label: number;
}

export interface JudgePlan {
  /** In alphabetical order. */
  readonly labels: readonly string[];
  readonly training: readonly Labelled[];
  readonly heldOut: readonly Labelled[];
}

const SIDE_PX = 64;
const NETWORK = { widths: [24, 48, 96], neck: 48, embeddingSize: 128, sidePx: SIDE_PX, head: 'label' };

/**
 * The labels that have enough training pictures, and their stimuli; or why no painting can be judged. Runs of before there
 * were labels have no settings of a judge, and none of their stimuli has a label.
 */
export function planJudge({
  stimuli,
  settings,
}: Pick<TrainMessage, 'stimuli' | 'settings'>): JudgePlan | { readonly reason: string } {
  const counts = new Map<string, number>();
  for (const { label, heldOut } of stimuli)
    if (label !== undefined) counts.set(label, (counts.get(label) ?? 0) + (heldOut ? 0 : 1));
  if (counts.size === 0)
    return {
      reason: 'no stimulus has a label; give them in a column of the trial table, or with linkStimuli',
    };
  const { leastPictures, paintedTrials } = settings.judge;
  if (paintedTrials === 0) return { reason: 'settings.judge.paintedTrials is 0' };
  if (paintedTrials === 1)
    return { reason: 'settings.judge.paintedTrials is 1; a shuffled signal is that of a second trial' };
  const labels = [...counts].flatMap(([label, n]) => (n >= leastPictures ? [label] : [])).sort();
  if (labels.length < 2) {
    const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, 3);
    const found = most.map(([label, n]) => `${label}: ${n}`).join(', ');
    return {
      reason: `a judge needs two labels with ${leastPictures} training pictures each (settings.judge.leastPictures); the largest have ${found}`,
    };
  }
  const known = stimuli.flatMap(({ label, heldOut }, row) => {
    const index = label === undefined ? -1 : labels.indexOf(label);
    return index < 0 ? [] : [{ row, label: index, heldOut }];
  });
  const side = (wanted: boolean) =>
    known.flatMap(({ row, label, heldOut }) => (heldOut === wanted ? [{ row, label }] : []));
  const heldOut = side(true);
  if (heldOut.length < 2)
    return {
      reason: `of the held-out stimuli ${heldOut.length} have a label that the judge knows; two are needed`,
    };
  return { labels, training: side(false), heldOut };
}

/** What always saying the commonest label would score on these. */
export function guessingRate(labelled: readonly Labelled[]): number {
  const counts = new Map<number, number>();
  for (const { label } of labelled) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.max(...counts.values()) / labelled.length;
}

/** A share of stimuli on which the judge said their label, with Wilson's interval. */
export function accuracyMetric(
  name: string,
  labelled: readonly Labelled[],
  judged: readonly number[],
): HeldOutMetric {
  const stimuli = labelled.length;
  const right = labelled.filter(({ label }, i) => judged[i] === label).length;
  const { mean: value, low, high } = wilsonInterval(right / stimuli, stimuli);
  return { name, value, low, high, chance: guessingRate(labelled), stimuli };
}

export interface Judge {
  readonly result: StageResult;
  /** On real pictures of held-out stimuli: how far it can be trusted. */
  readonly metric: HeldOutMetric;
  readonly size: JudgeSize;
  open(): Promise<Session>;
}

/** Trains (or resumes, or reloads) the judge. */
export async function makeJudge(run: Run, plan: JudgePlan): Promise<Judge> {
  const { message, blobs, device } = run;
  const settings = message.settings.judge;
  const size: JudgeSize = { ...NETWORK, classes: plan.labels.length };
  const hashesOf = (labelled: readonly Labelled[]) =>
    labelled.map(({ row }) => message.stimuli[row]!.pngSha256);
  const picturesOf = plan.labels.map((_, label) =>
    hashesOf(plan.training.filter((stimulus) => stimulus.label === label)),
  );
  // A view has more than half of the shorter side.
  const pictureOf = openPoolPictures(blobs, 2 * SIDE_PX);
  const heldOutHashes = hashesOf(plan.heldOut);
  const measure = async (session: Session): Promise<HeldOutMetric> => {
    const judged: number[] = [];
    for (let i = 0; i < heldOutHashes.length; i += 64) {
      const pictures = [];
      for (const hash of heldOutHashes.slice(i, i + 64)) pictures.push(await pictureOf(hash));
      judged.push(...(await judgeViews(session, pictures.map(wholeOf), size)));
    }
    return accuracyMetric('judge.heldOutAccuracy', plan.heldOut, judged);
  };
  const measureModel = async (model: Uint8Array) => {
    const session = await openSession(model, device);
    try {
      return await measure(session);
    } finally {
      await session.close();
    }
  };
  const options = run.options('judge', settings, async (weights) => {
    const { value } = await measureModel(judgeNetwork(weights, size));
    return { heldOutAccuracy: value! };
  });
  const result = await trainStage(
    'judge',
    settings,
    (b) => judgeObjective(b, size, settings.batch),
    (rng) => judgeBatch(rng, settings.batch, size, picturesOf, pictureOf),
    options,
  );
  const model = judgeNetwork(result.weights, size);
  return { result, size, metric: await measureModel(model), open: () => openSession(model, device) };
}
