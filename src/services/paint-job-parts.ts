// The parts that paint jobs name (models, images, masks, trials), read at once for any number of orders, and the checks of
// an order against them.

import type { PoolClient } from 'pg';
import { AppError } from '../errors.js';
import type { PaintMethod } from '../generated/prisma/client.js';
import { bad, type PaintJobOrder } from './paint-job-orders.js';

/** A job that may be stored as it stands. */
export interface ResolvedJob {
  readonly imageId: string;
  readonly maskId: string;
  readonly modelId: string;
  readonly method: PaintMethod;
  readonly seed: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly paintingCount: number;
  readonly trialIds: readonly string[];
  readonly shuffledTrialIds: readonly string[];
  readonly retriedFromId: string | null;
}

interface ModelRow {
  readonly id: string;
  readonly subject_label: string;
  readonly voxels: number;
  readonly default_steps: number;
  readonly default_guidance_scale: number;
  readonly max_steps: number;
  readonly two_stage: boolean;
}
interface TrialRow {
  readonly id: string;
  readonly stimulus: string;
  readonly voxels: number;
  readonly subject_id: string;
  readonly label: string;
}
interface Group {
  readonly subject_id: string;
  readonly voxels: number;
  readonly stimulus: string;
  readonly ids: readonly string[];
}

// The share locks make a withdrawal or a deletion wait until the jobs stand, so that it sees them.
const TRIALS = `
  SELECT trial.id, trial.stimulus, session.voxels, subject.id AS subject_id, subject.label
  FROM trial JOIN fmri_session AS session ON session.id = trial.session_id JOIN subject ON subject.id = session.subject_id
  WHERE trial.id = ANY ($1::uuid[]) AND subject.withdrawn_at IS NULL AND subject.deleted_at IS NULL
    AND session.deleted_at IS NULL
  FOR SHARE OF subject, session`;

const GROUPS = `
  SELECT session.subject_id, session.voxels, trial.stimulus, array_agg(trial.id ORDER BY trial.id) AS ids
  FROM trial JOIN fmri_session AS session ON session.id = trial.session_id
  WHERE session.subject_id = ANY ($1::uuid[]) AND session.deleted_at IS NULL
  GROUP BY session.subject_id, session.voxels, trial.stimulus ORDER BY trial.stimulus`;

const MODELS = `
  SELECT id, subject_label, voxels, default_steps, default_guidance_scale, max_steps, two_stage FROM model
  WHERE id = ANY ($1::uuid[]) AND withdrawn_at IS NULL AND deleted_at IS NULL FOR SHARE`;

export interface Parts {
  readonly models: ReadonlyMap<string, ModelRow>;
  readonly images: ReadonlySet<string>;
  readonly imageOfMask: ReadonlyMap<string, string>;
  readonly trials: ReadonlyMap<string, TrialRow>;
  /** Trials by stimulus of the subjects with a shuffled order, in the stimuli's order. */
  readonly groups: readonly Group[];
}

/** Reads what the orders name; what does not exist, or was withdrawn or deleted, is absent. */
export async function loadParts(client: PoolClient, orders: readonly PaintJobOrder[]): Promise<Parts> {
  const ids = (of: (order: PaintJobOrder) => readonly string[]) => [[...new Set(orders.flatMap(of))]];
  // Subjects first: a withdrawal locks its subject before the models that fall with it.
  const trials = await client.query<TrialRow>(
    TRIALS,
    ids((order) => order.trialIds),
  );
  const models = await client.query<ModelRow>(
    MODELS,
    ids((order) => [order.modelId]),
  );
  const images = await client.query<{ id: string }>(
    'SELECT id FROM source_image WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL FOR SHARE',
    ids((order) => [order.imageId]),
  );
  const masks = await client.query<{ id: string; image_id: string }>(
    'SELECT id, image_id FROM mask WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL FOR SHARE',
    ids((order) => [order.maskId]),
  );
  const byId = new Map(trials.rows.map((row) => [row.id, row]));
  const shuffled = orders.filter((order) => order.method === 'SHUFFLED_BRAIN');
  const subjects = new Set(shuffled.flatMap((o) => o.trialIds.map((id) => byId.get(id)?.subject_id)));
  subjects.delete(undefined);
  return {
    models: new Map(models.rows.map((row) => [row.id, row])),
    images: new Set(images.rows.map((row) => row.id)),
    imageOfMask: new Map(masks.rows.map((row) => [row.id, row.image_id])),
    trials: byId,
    groups: subjects.size === 0 ? [] : (await client.query<Group>(GROUPS, [[...subjects]])).rows,
  };
}

export function missing(field: string): never {
  const what = field === 'id' ? 'paint job' : field.replace(/Ids?$/, '');
  throw new AppError('NOT_FOUND', `no such ${what}`, { field });
}

/**
 * As many trials of one other stimulus as `shown` has, of the same subject: the stimulus is drawn by the seed. The
 * control then differs in what was seen and in nothing else, noise included.
 */
function drawOtherTrials(groups: readonly Group[], shown: readonly TrialRow[], seed: number): string[] {
  const { subject_id, voxels } = shown[0]!;
  const seen = new Set(shown.map((trial) => trial.stimulus));
  const candidates = groups.filter(
    (group) =>
      group.subject_id === subject_id &&
      group.voxels === voxels &&
      group.ids.length >= shown.length &&
      !seen.has(group.stimulus),
  );
  if (candidates.length === 0) {
    bad(
      'method',
      `a shuffled control needs another stimulus of this subject with at least ${shown.length} trials; import more sessions`,
    );
  }
  // The golden ratio spreads neighbouring seeds over the list.
  const chosen = candidates[Math.floor(((seed * 0.6180339887498949) % 1) * candidates.length)]!;
  return chosen.ids.slice(0, shown.length);
}

/** The job of an order, defaults filled in. Throws AppError on the first field that does not fit. */
export function resolveOrder(parts: Parts, order: PaintJobOrder): ResolvedJob {
  const model = parts.models.get(order.modelId) ?? missing('modelId');
  if (!parts.images.has(order.imageId)) missing('imageId');
  const imageOfMask = parts.imageOfMask.get(order.maskId) ?? missing('maskId');
  if (imageOfMask !== order.imageId) bad('maskId', 'the mask belongs to another image');
  const trials = order.trialIds.map((id) => parts.trials.get(id) ?? missing('trialIds'));
  for (const { label, voxels } of trials) {
    if (label !== model.subject_label) {
      bad(
        'trialIds',
        `the model is of subject ${model.subject_label}, the trial of subject ${label}; models are per subject`,
      );
    }
    if (voxels !== model.voxels)
      bad('trialIds', `the trial has ${voxels} voxels; the model takes ${model.voxels}`);
  }
  const steps = order.steps ?? model.default_steps;
  if (steps > model.max_steps)
    bad('steps', `this model was trained on ${model.max_steps} timesteps; it cannot take ${steps} steps`);
  if (order.method === 'TWO_STAGE' && !model.two_stage)
    throw new AppError(
      'UNSUPPORTED',
      'this model lacks an image encoder or a pseudo brain generator; the two-stage method needs both',
      { field: 'method' },
    );
  const shuffledTrialIds =
    order.method === 'SHUFFLED_BRAIN' ? drawOtherTrials(parts.groups, trials, order.seed) : [];
  return {
    ...order,
    steps,
    guidanceScale: order.guidanceScale ?? model.default_guidance_scale,
    shuffledTrialIds,
    retriedFromId: null,
  };
}
