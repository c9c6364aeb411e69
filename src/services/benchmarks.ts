// Benchmarks: pictures and brain signals paired by a seed and painted by each arm; frozen when all is painted.

import type { PoolClient } from 'pg';
import { AppError, isAppError } from '../errors.js';
import type { Benchmark, PaintJob, PaintJobState, Prisma } from '../generated/prisma/client.js';
import { uuid7 } from '../store/uuid7.js';
import { authorize, reach } from './access.js';
import { auditOn } from './audit.js';
import {
  type BenchmarkOrder,
  benchmarkJobs,
  checkBenchmark,
  pairItems,
  sha256Json,
} from './benchmark-orders.js';
import type { Services } from './context.js';
import { holdParts, type PartIds } from './deletions.js';
import { editRow, type Naming, namingOf, seen } from './edits.js';
import { createPresetMask, createSampledMask } from './images.js';
import { readListed } from './lists.js';
import { newest, type PageArguments } from './pages.js';
import { bad, checkOrder } from './paint-job-orders.js';
import { loadParts, type ResolvedJob, resolveOrder } from './paint-job-parts.js';
import { type Attach, normal, type SubmissionFacts, storeBatch } from './paint-job-submission.js';

/** Masks by image: the given ones, the shape's on each picture, or drawn ones; and what is noted of how they came. */
async function masksOf(
  services: Services,
  { imageIds, masks }: BenchmarkOrder,
): Promise<{ readonly maskIds: readonly string[]; readonly policy: object }> {
  const { preset, sampled } = masks;
  if (masks.maskIds) return { maskIds: masks.maskIds, policy: masks };
  const maskIds: string[] = [];
  const modes: string[] = [];
  for (const [place, imageId] of imageIds.entries()) {
    if (preset) maskIds.push((await createPresetMask(services, imageId, preset)).id);
    else {
      const { mask, mode } = await createSampledMask(services, imageId, sampled!, place);
      maskIds.push(mask.id);
      modes.push(mode);
    }
  }
  return { maskIds, policy: preset ? masks : { sampled: { ...sampled, modes } } };
}

/**
 * Pairs, and queues every paint job in one transaction: all, or with a fault in any of them none. Throws AppError on the
 * field at fault; where it is a job's, the message names item and arm.
 */
export async function createBenchmark(
  services: Services,
  order: BenchmarkOrder,
  facts: SubmissionFacts,
): Promise<Benchmark> {
  authorize(services.viewer, 'createBenchmark');
  const name = order.name.trim();
  if (name === '' || name.length > 100) bad('name', 'give a name of 1 to 100 characters');
  checkBenchmark(order);
  const items = pairItems(order);
  const { maskIds, policy } = await masksOf(services, order);
  const orders = benchmarkJobs(order, items, maskIds);
  const arms = order.arms.length;
  const named = <T>(job: number, check: () => T): T => {
    try {
      return check();
    } catch (error) {
      if (!isAppError(error)) throw error;
      const where = `item ${Math.floor(job / arms)}, arm ${order.arms[job % arms]!.name}: ${error.message}`;
      throw new AppError(error.code, where, {
        field: error.field === 'trialIds' ? 'signals' : (error.field ?? 'arms'),
      });
    }
  };
  let resolved: readonly ResolvedJob[] = [];
  const stimulusOf = new Map<string, string>();
  const attach: Attach = async (client, batchId, jobIds) => {
    const id = uuid7();
    await client.query(
      `INSERT INTO benchmark (id, name, pairing, seed, mask_policy, batch_id)
       VALUES ($1::uuid, $2, $3::"BenchmarkPairing", $4::bigint, $5::jsonb, $6::uuid)`,
      [id, name, order.pairing, order.seed, JSON.stringify(policy), batchId],
    );
    const armIds = order.arms.map(() => uuid7());
    await client.query(
      `INSERT INTO benchmark_arm (id, benchmark_id, position, name, method, model_id, steps, guidance_scale)
       SELECT arm.id, $1::uuid, arm.place - 1, arm.name, arm.method, arm.model_id, arm.steps, arm.guidance
       FROM unnest($2::uuid[], $3::text[], $4::text[]::"PaintMethod"[], $5::uuid[], $6::int[], $7::float8[])
         WITH ORDINALITY AS arm (id, name, method, model_id, steps, guidance, place)`,
      [
        id,
        armIds,
        order.arms.map((arm) => arm.name.trim()),
        order.arms.map((arm) => arm.method),
        order.arms.map((arm) => arm.modelId),
        order.arms.map((_, arm) => resolved[arm]!.steps),
        order.arms.map((_, arm) => resolved[arm]!.guidanceScale),
      ],
    );
    const itemIds = items.map(() => uuid7());
    const rows = items.map(({ image, signal }, position) => {
      const trials = order.signals[signal]!;
      const stimuli = new Set(trials.map((trial) => stimulusOf.get(trial)!));
      return {
        id: itemIds[position]!,
        position,
        image_id: order.imageIds[image]!,
        mask_id: maskIds[image]!,
        stimulus: stimuli.size === 1 ? [...stimuli][0]! : null,
        trial_ids: trials,
      };
    });
    await client.query(
      `INSERT INTO benchmark_item (id, benchmark_id, position, image_id, mask_id, stimulus, trial_ids)
       SELECT item.id, $1::uuid, item.position, item.image_id, item.mask_id, item.stimulus, item.trial_ids
       FROM jsonb_to_recordset($2::jsonb)
         AS item (id uuid, position int, image_id uuid, mask_id uuid, stimulus text, trial_ids uuid[])`,
      [id, JSON.stringify(rows)],
    );
    await client.query(
      `INSERT INTO benchmark_cell (item_id, arm_id, benchmark_id, job_id)
       SELECT cell.item_id, cell.arm_id, $1::uuid, cell.job_id
       FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS cell (item_id, arm_id, job_id)`,
      [
        id,
        jobIds.map((_, job) => itemIds[Math.floor(job / arms)]),
        jobIds.map((_, job) => armIds[job % arms]),
        jobIds,
      ],
    );
    const after = {
      name,
      pairing: order.pairing,
      seed: order.seed,
      items: items.length,
      arms: order.arms,
      batchId,
    };
    return { type: 'Benchmark', id, after };
  };
  const request = { benchmark: name, arms: order.arms.map((arm) => arm.name), jobs: orders.map(normal) };
  const batchId = await storeBatch(
    services,
    'createBenchmark',
    facts,
    request,
    async (client) => {
      for (const [job, one] of orders.entries()) named(job, () => checkOrder(one));
      const parts = await loadParts(client, orders);
      for (const [id, trial] of parts.trials) stimulusOf.set(id, trial.stimulus);
      resolved = orders.map((one, job) => named(job, () => resolveOrder(parts, one)));
      return resolved;
    },
    attach,
  );
  return services.store.prisma.benchmark.findUniqueOrThrow({ where: { batchId } });
}

interface FrozenCell {
  readonly item_id: string;
  readonly arm_id: string;
  readonly state: PaintJobState;
  readonly painting_id: string | null;
  readonly png_sha256: string | null;
  readonly item: number;
  readonly arm: string;
  readonly job_id: string;
}

/** What a frozen benchmark shows cannot be deleted, and what was deleted cannot be frozen. */
async function holdBenchmark(client: PoolClient, id: string): Promise<void> {
  const { rows } = await client.query<{ type: keyof PartIds; ids: string[] }>(
    `SELECT 'SourceImage' AS type, array_agg(image_id) AS ids FROM benchmark_item WHERE benchmark_id = $1::uuid
     UNION ALL SELECT 'Mask', array_agg(mask_id) FROM benchmark_item WHERE benchmark_id = $1::uuid
     UNION ALL SELECT 'Model', array_agg(model_id) FROM benchmark_arm WHERE benchmark_id = $1::uuid
     UNION ALL SELECT 'FmriSession', array_agg(session_id) FROM trial
     WHERE id IN (SELECT unnest(trial_ids) FROM benchmark_item WHERE benchmark_id = $1::uuid)
     UNION ALL SELECT 'Subject', array_agg(subject_id) FROM fmri_session WHERE id IN (
       SELECT session_id FROM trial WHERE id IN (SELECT unnest(trial_ids) FROM benchmark_item WHERE benchmark_id = $1::uuid))`,
    [id],
  );
  const parts: PartIds = Object.fromEntries(rows.map(({ type, ids }) => [type, ids]));
  const query = async (sql: string, ids: readonly string[]) =>
    (await client.query<{ id: string }>(sql, [ids])).rows;
  await holdParts(query, parts, 'id');
}

/**
 * Makes a benchmark unchangeable, once each of its jobs has its painting. Frozen already: as it is. Throws AppError
 * NOT_FOUND; UNAVAILABLE while jobs wait or run; CONFLICT naming those that failed, to be tried again by retryPaintJobs.
 */
export async function freezeBenchmark({ store, viewer }: Services, id: string): Promise<Benchmark> {
  authorize(viewer, 'freezeBenchmark');
  await store.transaction(async (client) => {
    const { rows: found } = await client.query<{ frozen_at: Date | null }>(
      'SELECT frozen_at FROM benchmark WHERE id = $1::uuid AND deleted_at IS NULL FOR UPDATE',
      [id],
    );
    if (!found[0]) throw new AppError('NOT_FOUND', 'no such benchmark', { field: 'id' });
    if (found[0].frozen_at) return;
    await holdBenchmark(client, id);
    const { rows: cells } = await client.query<FrozenCell>(
      `SELECT cell.item_id, cell.arm_id, cell.job_id, job.state, painting.id AS painting_id, painting.png_sha256,
         item.position AS item, arm.name AS arm
       FROM benchmark_cell AS cell
       JOIN benchmark_item AS item ON item.id = cell.item_id JOIN benchmark_arm AS arm ON arm.id = cell.arm_id
       JOIN paint_job AS job ON job.id = cell.job_id
       LEFT JOIN painting ON painting.job_id = job.id AND painting.index = 0 AND job.withdrawn_at IS NULL
       WHERE cell.benchmark_id = $1::uuid ORDER BY item.position, arm.position`,
      [id],
    );
    const waiting = cells.filter(({ state }) => state === 'QUEUED' || state === 'RUNNING').length;
    if (waiting > 0)
      throw new AppError(
        'UNAVAILABLE',
        `${waiting} of ${cells.length} paint jobs wait or run; try again when they have ended`,
        {
          field: 'id',
        },
      );
    const failed = cells.filter(({ painting_id }) => painting_id === null);
    if (failed.length > 0) {
      const some = failed
        .slice(0, 5)
        .map((cell) => `item ${cell.item} by ${cell.arm} (PaintJob_${cell.job_id}, ${cell.state})`);
      const rest = failed.length > 5 ? ` and ${failed.length - 5} more` : '';
      throw new AppError(
        'CONFLICT',
        `${failed.length} of ${cells.length} have no painting: ${some.join(', ')}${rest}; try them again with retryPaintJobs`,
        { field: 'id' },
      );
    }
    await client.query(
      `UPDATE benchmark_cell SET painting_id = done.painting_id
       FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS done (item_id, arm_id, painting_id)
       WHERE benchmark_cell.item_id = done.item_id AND benchmark_cell.arm_id = done.arm_id`,
      [
        cells.map((cell) => cell.item_id),
        cells.map((cell) => cell.arm_id),
        cells.map((cell) => cell.painting_id),
      ],
    );
    const itemsSha256 = sha256Json(
      cells.map(({ item_id, arm_id, png_sha256 }) => [item_id, arm_id, png_sha256]),
    );
    await client.query(
      'UPDATE benchmark SET frozen_at = clock_timestamp(), items_sha256 = $2 WHERE id = $1::uuid',
      [id, itemsSha256],
    );
    await auditOn(client, viewer, {
      action: 'freezeBenchmark',
      type: 'Benchmark',
      id,
      after: { itemsSha256 },
    });
  });
  return store.prisma.benchmark.findUniqueOrThrow({ where: { id } });
}

export interface BenchmarkProgress {
  readonly total: number;
  readonly waiting: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
}

/** How many of a benchmark's jobs stand where; a retry counts instead of the job that failed. */
export async function benchmarkProgress(
  { store }: Services,
  benchmarkId: string,
): Promise<BenchmarkProgress> {
  const { rows } = await store.pool.query<BenchmarkProgress>(
    `SELECT count(*)::int AS total, count(*) FILTER (WHERE state = 'QUEUED')::int AS waiting,
       count(*) FILTER (WHERE state = 'RUNNING')::int AS running,
       count(*) FILTER (WHERE state = 'SUCCEEDED')::int AS succeeded,
       count(*) FILTER (WHERE state IN ('FAILED', 'CANCELLED', 'ABORTED'))::int AS failed
     FROM benchmark_cell JOIN paint_job ON paint_job.id = job_id WHERE benchmark_id = $1::uuid`,
    [benchmarkId],
  );
  return rows[0]!;
}

/** The jobs that ended without a painting and were not tried again, at most 100. */
export function failedJobs({ store }: Services, benchmarkId: string): Promise<PaintJob[]> {
  return store.prisma.paintJob.findMany({
    where: { cell: { benchmarkId }, state: { in: ['FAILED', 'CANCELLED', 'ABORTED'] }, withdrawnAt: null },
    orderBy: { id: 'asc' },
    take: 100,
  });
}

export const ITEM_PARTS = {
  image: true,
  mask: true,
  cells: {
    include: { arm: true, job: { include: { paintings: { where: { index: 0 } } } } },
    orderBy: { arm: { position: 'asc' } },
  },
} as const satisfies Prisma.BenchmarkItemInclude;
export type ItemWithParts = Prisma.BenchmarkItemGetPayload<{ include: typeof ITEM_PARTS }>;

export type CellWithParts = ItemWithParts['cells'][number];

/** `first` items (1 to 100) from a position on, with what was painted of them. */
export function listBenchmarkItems(
  { store }: Services,
  benchmarkId: string,
  { from, first }: { readonly from: number; readonly first: number },
): Promise<ItemWithParts[]> {
  if (!Number.isInteger(from) || from < 0) bad('from', `from must be a whole number from 0, it is ${from}`);
  if (first < 1 || first > 100) bad('first', `first must be from 1 to 100, it is ${first}`);
  return store.prisma.benchmarkItem.findMany({
    where: { benchmarkId, position: { gte: from } },
    orderBy: { position: 'asc' },
    take: first,
    include: ITEM_PARTS,
  });
}

export function listBenchmarks(services: Services, deleted: boolean, args: PageArguments) {
  const { prisma } = services.store;
  return readListed(
    services,
    'Benchmark',
    deleted,
    args,
    (slice, where) => prisma.benchmark.findMany(newest(slice, where)),
    (where) => prisma.benchmark.count({ where }),
  );
}

/** A benchmark that the viewer may read, or null. */
export async function findBenchmark(services: Services, id: string): Promise<Benchmark | null> {
  if (reach(services.viewer, 'Benchmark') === 'NONE') return null;
  return services.store.prisma.benchmark.findUnique({ where: { id, ...seen(services) } });
}

/** Renames a benchmark before it is frozen. Throws AppError NOT_FOUND, BAD_INPUT, or CONFLICT: frozen, or changed meanwhile. */
export function updateBenchmark(services: Services, input: Naming): Promise<Benchmark> {
  authorize(services.viewer, 'updateBenchmark');
  const data = namingOf(input, 1, 100);
  return editRow(services, { action: 'updateBenchmark', type: 'Benchmark', ...input }, async (_, before) => {
    if (before.frozenAt) throw new AppError('CONFLICT', 'the benchmark is frozen', { field: 'id' });
    return data;
  });
}
