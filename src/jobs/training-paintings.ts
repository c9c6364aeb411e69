// Painting accuracy: held-out trials are painted by the trained networks, and the judge says what it sees. Each answer is a
// line in the run's folder, so that a kill costs one painting.

import { appendFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeRgb } from '../imaging/decode.js';
import { type MaskRect, maskBounds, presetMask } from '../imaging/mask-shapes.js';
import type { MaskImage, RgbImage } from '../imaging/types.js';
import type { Bundle } from '../painter/bundle.js';
import { openPainter, paint } from '../painter/painter.js';
import { blankCanvas } from '../painter/two-stage.js';
import { createRng } from '../random.js';
import { signalOf } from '../train/brain-data.js';
import { judgeViews } from '../train/judge.js';
import type { StageResult } from '../train/stage.js';
import { accuracyMetric, type Labelled, makeJudge, planJudge } from './training-judge.js';
import type { HeldOutMetric } from './training-messages.js';
import type { Network, Run } from './training-networks.js';
import { wholeLines } from './whole-lines.js';

/** Nothing given but the signal; the centre of another picture; the first by another trial's signal. */
const KINDS = ['fullMask', 'centreMask', 'shuffled'] as const;
type Kind = (typeof KINDS)[number];
const METRICS = [...KINDS.map((kind) => `painting.${kind}Accuracy`), 'judge.heldOutAccuracy'];

export interface PaintedTrial extends Labelled {
  /** Row of the stimulus whose signal the shuffled painting has. */
  readonly donor: number;
  /** Row of the stimulus whose picture is painted over. */
  readonly source: number;
}

/**
 * At most `count` held-out stimuli, as many of each label as there are to be had, each with a donor of its own and a picture
 * of another label to paint over, where there is one. Drawn by the seed.
 */
export function planPaintings(heldOut: readonly Labelled[], count: number, seed: number): PaintedTrial[] {
  const rng = createRng(seed);
  const byLabel = new Map<number, Labelled[]>();
  for (const stimulus of rng.shuffle([...heldOut]))
    byLabel.set(stimulus.label, [...(byLabel.get(stimulus.label) ?? []), stimulus]);
  const lists = [...byLabel.values()];
  const order: Labelled[] = [];
  for (let round = 0; order.length < Math.min(count, heldOut.length); round++)
    order.push(...lists.flatMap((list) => list.slice(round, round + 1)));
  const chosen = order.slice(0, count);
  const circle = rng.shuffle(chosen.map((_, i) => i));
  const donorOf = new Map(circle.map((i, k) => [i, circle[(k + 1) % circle.length]!]));
  return chosen.map((stimulus, i) => {
    const others = [...chosen.slice(i + 1), ...chosen.slice(0, i)];
    const source = others.find(({ label }) => label !== stimulus.label) ?? others[0]!;
    return { ...stimulus, donor: chosen[donorOf.get(i)!]!.row, source: source.row };
  });
}

interface Place {
  readonly source: RgbImage;
  readonly mask: MaskImage;
  /** What the judge looks at. */
  readonly box: MaskRect;
}

/** The centre of a picture: 5/8 of each side. */
function centreOf(source: RgbImage): Place {
  const shape = { shape: 'rectangle', left: 0.1875, top: 0.1875, width: 0.625, height: 0.625 } as const;
  const mask = presetMask(shape, source.width, source.height);
  return { source, mask, box: maskBounds(mask)! };
}

function wholeCanvas(sizePx: number): Place {
  return { ...blankCanvas(sizePx), box: { x0: 0, y0: 0, x1: sizePx, y1: sizePx } };
}

/** The base with the networks of this run in their places; a trained one lies in the run's folder. */
async function draftBundle({ base, message }: Run, networks: Networks): Promise<Bundle> {
  const folder = join(message.workFolder, 'painter');
  await mkdir(folder, { recursive: true });
  const put = async (name: string, model: Uint8Array | string) => {
    if (typeof model === 'string') return model;
    const path = join(folder, `${name}.onnx`);
    await writeFile(path, model);
    return path;
  };
  return {
    ...base,
    conventions: { ...base.conventions, voxels: message.voxels },
    components: {
      ...base.components,
      unet: await put('unet', networks.unet.model),
      brain_adapter: await put('brain-adapter', networks.brainAdapter.model),
    },
  };
}

interface Networks {
  readonly unet: Network;
  readonly brainAdapter: Network;
}

export interface JudgedPaintings {
  readonly metrics: readonly HeldOutMetric[];
  /** Of the judge's training. */
  readonly result?: StageResult;
  /** For the provenance. */
  readonly facts?: object;
}

/** Trains the judge, paints held-out trials and has them judged; or tells why that is not possible. */
export async function judgePaintings(run: Run, networks: Networks): Promise<JudgedPaintings> {
  const { message, data, device, abort, blobs } = run;
  const plan = planJudge(message);
  if ('reason' in plan) {
    const undefinedReason = plan.reason;
    return { metrics: METRICS.map((name) => ({ name, stimuli: 0, undefinedReason })) };
  }
  const judge = await makeJudge(run, plan);
  const { settings, stimuli, workFolder } = message;
  const trials = planPaintings(plan.heldOut, settings.judge.paintedTrials, settings.seed + 401);
  const path = join(workFolder, 'paintings.jsonl');
  const judged = wholeLines(path).map((line): number => JSON.parse(line).judged);
  const steps = trials.length * KINDS.length;
  run.at('paintings', judged.length, steps);
  if (judged.length < steps) {
    const bundle = await draftBundle(run, networks);
    const { steps: denoisingSteps, guidanceScale } = bundle.conventions.defaults;
    const painter = await openPainter(bundle, device);
    const session = await judge.open();
    const placeOf = async (trial: PaintedTrial, kind: Kind) => {
      if (kind !== 'centreMask') return wholeCanvas(bundle.conventions.imageSizePx);
      const { pngSha256 } = stimuli[trial.source]!;
      return centreOf(await decodeRgb(await blobs.get(pngSha256), 'stimuli'));
    };
    try {
      for (let i = judged.length; i < steps; i++) {
        const trial = trials[Math.floor(i / KINDS.length)]!;
        const kind = KINDS[i % KINDS.length]!;
        const { source, mask, box } = await placeOf(trial, kind);
        const signal = Float32Array.from(signalOf(data, kind === 'shuffled' ? trial.donor : trial.row, 1));
        const request = { source, mask, signal, seed: Math.floor(i / KINDS.length), paintings: 1 };
        for await (const { image } of paint(painter, {
          ...request,
          steps: denoisingSteps,
          guidanceScale,
          abort,
        }))
          judged.push((await judgeViews(session, [{ image, box }], judge.size))[0]!);
        appendFileSync(path, `${JSON.stringify({ kind, row: trial.row, judged: judged[i] })}\n`);
        run.kept();
        run.at('paintings', i + 1, steps);
      }
    } finally {
      await session.close();
      await painter.close();
    }
  }
  const metrics = KINDS.map((kind, k): HeldOutMetric => {
    const answers = judged.filter((_, i) => i % KINDS.length === k);
    return { ...accuracyMetric(`painting.${kind}Accuracy`, trials, answers), signals: 'SINGLE_TRIALS' };
  });
  const { labels, training, heldOut } = plan;
  return {
    metrics: [...metrics, judge.metric],
    result: judge.result,
    facts: {
      labels,
      trainingPictures: training.length,
      heldOutPictures: heldOut.length,
      paintedTrials: trials.length,
    },
  };
}
