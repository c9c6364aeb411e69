// Automatic metrics of frozen benchmarks as their owners see them: asked for, followed, read. What workers write is in
// measurement-attempts.ts, what is measured in src/jobs/measure-cells.ts.

import { AppError } from '../errors.js';
import type { Benchmark, BenchmarkMeasurement } from '../generated/prisma/client.js';
import { enqueueOn } from '../queue/queue.js';
import { uuid7 } from '../store/uuid7.js';
import { authorize } from './access.js';
import { auditOn } from './audit.js';
import type { Services } from './context.js';
import { bad } from './paint-job-orders.js';

const LINKED = `
  SELECT DISTINCT stimulus.name, image.png_sha256
  FROM benchmark_item AS item
  JOIN stimulus ON stimulus.name = item.stimulus JOIN source_image AS image ON image.id = stimulus.image_id
  WHERE item.benchmark_id = $1::uuid AND image.deleted_at IS NULL`;

/** Makes withdrawals wait, so that each is either seen by the measurement or younger than it. */
const HOLD_SUBJECTS = `
  SELECT FROM subject WHERE id IN (
    SELECT session.subject_id FROM benchmark_item AS item JOIN trial ON trial.id = ANY (item.trial_ids)
    JOIN fmri_session AS session ON session.id = trial.session_id WHERE item.benchmark_id = $1::uuid)
  ORDER BY id FOR SHARE`;

/** One that began before a subject withdrew will never be shown, and is waited for no more. */
const GIVE_UP = `
  UPDATE benchmark_measurement AS measurement SET state = 'FAILED', finished_at = clock_timestamp(), error_code = 'CANCELLED',
    error_message = 'a subject of the benchmark has withdrawn; measure it again'
  WHERE benchmark_id = $1::uuid AND finished_at IS NULL AND EXISTS (
    SELECT FROM benchmark_cell AS cell JOIN paint_job AS job ON job.id = cell.job_id
    WHERE cell.benchmark_id = $1::uuid AND job.withdrawn_at >= measurement.created_at)`;

/**
 * Queues a measurement of a frozen benchmark, by the pictures that its stimuli have now; one that waits or runs is not joined by
 * another, unless a subject has withdrawn since. Throws AppError NOT_FOUND, CONFLICT before it is frozen, or BAD_INPUT.
 */
export async function measureBenchmark(
  { store, viewer }: Services,
  { id, seed }: { readonly id: string; readonly seed: number },
): Promise<Benchmark> {
  authorize(viewer, 'measureBenchmark');
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    bad('seed', `seed must be a whole number from 0 to 4294967295, it is ${seed}`);
  await store.transaction(async (client) => {
    const { rows: found } = await client.query<{ frozen_at: Date | null; items_sha256: string }>(
      'SELECT frozen_at, items_sha256 FROM benchmark WHERE id = $1::uuid AND deleted_at IS NULL FOR UPDATE',
      [id],
    );
    if (!found[0]) throw new AppError('NOT_FOUND', 'no such benchmark', { field: 'id' });
    if (!found[0].frozen_at)
      throw new AppError('CONFLICT', 'the benchmark is not frozen; freeze it first', { field: 'id' });
    await client.query(HOLD_SUBJECTS, [id]);
    await client.query(GIVE_UP, [id]);
    const { rowCount: unfinished } = await client.query(
      'SELECT FROM benchmark_measurement WHERE benchmark_id = $1::uuid AND finished_at IS NULL',
      [id],
    );
    if (unfinished) return;
    const { rows: linked } = await client.query<{ name: string; png_sha256: string }>(LINKED, [id]);
    const stimuli = Object.fromEntries(linked.map(({ name, png_sha256 }) => [name, png_sha256]));
    const measurementId = uuid7();
    await client.query(
      `INSERT INTO benchmark_measurement (id, benchmark_id, seed, stimuli)
       VALUES ($1::uuid, $2::uuid, $3::bigint, $4::jsonb)`,
      [measurementId, id, seed, JSON.stringify(stimuli)],
    );
    await enqueueOn(client, 'measure', { measurementId }, `measure:${measurementId}`);
    const after = { measurementId, seed, itemsSha256: found[0].items_sha256, linkedStimuli: linked.length };
    await auditOn(client, viewer, { action: 'measureBenchmark', type: 'Benchmark', id, after });
  });
  return store.prisma.benchmark.findUniqueOrThrow({ where: { id } });
}

/**
 * The benchmark's measurements, the newest first. Those that hold paintings of who has withdrawn since are as if they did not
 * exist: measured again, the rest is counted without them.
 */
export async function listMeasurements(
  { store }: Services,
  benchmarkId: string,
  first: number,
): Promise<BenchmarkMeasurement[]> {
  if (first < 1 || first > 100) bad('first', `first must be from 1 to 100, it is ${first}`);
  const { prisma } = store;
  const withdrawn = await prisma.paintJob.aggregate({
    where: { cell: { benchmarkId } },
    _max: { withdrawnAt: true },
  });
  const { withdrawnAt } = withdrawn._max;
  return prisma.benchmarkMeasurement.findMany({
    where: { benchmarkId, ...(withdrawnAt ? { createdAt: { gt: withdrawnAt } } : {}) },
    orderBy: { id: 'desc' },
    take: first,
  });
}

export interface MeasuringProgress {
  readonly done: number;
  readonly total: number;
}

const PROGRESS = `
  WITH measurement AS (SELECT id, benchmark_id FROM benchmark_measurement WHERE id = ANY ($1::uuid[])),
  total AS (
    SELECT cell.benchmark_id, count(*)::int AS cells FROM benchmark_cell AS cell
    WHERE cell.benchmark_id IN (SELECT benchmark_id FROM measurement) AND NOT EXISTS (
      SELECT FROM benchmark_cell AS beside JOIN paint_job AS job ON job.id = beside.job_id
      WHERE beside.item_id = cell.item_id AND job.withdrawn_at IS NOT NULL)
    GROUP BY cell.benchmark_id
  )
  SELECT id, coalesce(total.cells, 0) AS total,
    (SELECT count(*)::int FROM benchmark_value WHERE measurement_id = measurement.id) AS done
  FROM measurement LEFT JOIN total USING (benchmark_id)`;

/** How many of the paintings are measured, by measurement. */
export async function measuringProgress(
  { store }: Pick<Services, 'store'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, MeasuringProgress>> {
  const { rows } = await store.pool.query<MeasuringProgress & { readonly id: string }>(PROGRESS, [ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

export interface ItemValues {
  readonly position: number;
  readonly arm: string;
  readonly values: unknown;
}

/**
 * What was measured of each painting, in the order of items and arms; null while a study of the benchmark is sealed: a painting's
 * own figures, beside its arm, would tell whoever rates it and can compute the same which arm it is.
 */
export async function listItemValues(
  { store }: Services,
  { id, benchmarkId }: BenchmarkMeasurement,
): Promise<ItemValues[] | null> {
  const { prisma } = store;
  const sealed = await prisma.study.count({ where: { benchmarkId, state: { not: 'UNSEALED' } } });
  if (sealed > 0) return null;
  const rows = await prisma.benchmarkValue.findMany({
    where: { measurementId: id },
    include: { cell: { include: { item: true, arm: true } } },
    orderBy: [{ cell: { item: { position: 'asc' } } }, { cell: { arm: { position: 'asc' } } }],
  });
  return rows.map(({ cell, measured }) => ({
    position: cell.item.position,
    arm: cell.arm.name,
    values: measured,
  }));
}
