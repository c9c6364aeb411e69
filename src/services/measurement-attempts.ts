// What workers write of measurements: claims, values and ends, each fenced by (id, attempt, RUNNING).

import { AppError } from '../errors.js';
import { type BenchmarkMeasurement, MeasurementState, type Prisma } from '../generated/prisma/client.js';
import type { Services } from './context.js';

export type { BenchmarkMeasurement };

/** Takes a measurement for one more attempt; undefined when it has ended. */
export async function claimMeasurement(
  { store }: Services,
  id: string,
): Promise<BenchmarkMeasurement | undefined> {
  const [claimed] = await store.prisma.benchmarkMeasurement.updateManyAndReturn({
    where: { id, state: { in: [MeasurementState.QUEUED, MeasurementState.RUNNING] } },
    data: { state: MeasurementState.RUNNING, attempt: { increment: 1 } },
  });
  return claimed;
}

export interface CellToMeasure {
  readonly itemId: string;
  readonly armId: string;
  readonly position: number;
  readonly arm: string;
  readonly imageId: string;
  readonly trialIds: readonly string[];
  readonly stimulus: string | null;
  readonly sourceSha256: string;
  readonly maskSha256: string;
  readonly coverage: number;
  readonly paintingSha256: string;
}

export interface MeasuringInputs {
  readonly pairing: 'RANDOM' | 'CROSSED';
  readonly itemsSha256: string;
  /** Names of the arms, in their order. */
  readonly arms: readonly string[];
  /** Of the first arm: what embeds where the server has no network for it. */
  readonly model: { readonly name: string; readonly hash: string; readonly folder: string };
  /** By item and arm; without the items of which a painting was withdrawn. */
  readonly cells: readonly CellToMeasure[];
  readonly withdrawnItems: number;
}

/** Reads what a measurement is made from. */
export async function readMeasuringInputs(
  { store }: Services,
  benchmarkId: string,
): Promise<MeasuringInputs> {
  const { pairing, itemsSha256, arms, items } = await store.prisma.benchmark.findUniqueOrThrow({
    where: { id: benchmarkId },
    include: {
      arms: { orderBy: { position: 'asc' }, include: { model: true } },
      items: {
        orderBy: { position: 'asc' },
        include: {
          image: true,
          mask: true,
          cells: { include: { arm: true, job: true, painting: true }, orderBy: { arm: { position: 'asc' } } },
        },
      },
    },
  });
  const kept = items.filter(({ cells }) => cells.every(({ job }) => job.withdrawnAt === null));
  const { name, hash, folder } = arms[0]!.model;
  return {
    pairing,
    itemsSha256: itemsSha256!,
    arms: arms.map((arm) => arm.name),
    model: { name, hash, folder },
    withdrawnItems: items.length - kept.length,
    cells: kept.flatMap((item) =>
      item.cells.map(({ armId, arm, painting }) => ({
        itemId: item.id,
        armId,
        position: item.position,
        arm: arm.name,
        imageId: item.imageId,
        trialIds: item.trialIds,
        stimulus: item.stimulus,
        sourceSha256: item.image.pngSha256,
        maskSha256: item.mask.sha256,
        coverage: item.mask.coverage,
        paintingSha256: painting!.pngSha256,
      })),
    ),
  };
}

const HELD = `
  SELECT id FROM benchmark_measurement WHERE id = $1::uuid AND attempt = $2 AND state = 'RUNNING' FOR SHARE`;

/** Notes what it is measured with, or holds it against what an earlier attempt noted. Throws AppError CONFLICT where they differ. */
export async function noteNetworks(
  { store }: Services,
  { id, attempt }: BenchmarkMeasurement,
  networks: readonly object[],
): Promise<void> {
  const { rows } = await store.pool.query<{ same: boolean }>(
    `UPDATE benchmark_measurement SET networks = coalesce(networks, $3::jsonb)
     WHERE id = $1::uuid AND attempt = $2 AND state = 'RUNNING' RETURNING networks = $3::jsonb AS same`,
    [id, attempt, JSON.stringify(networks)],
  );
  if (rows[0] && !rows[0].same)
    throw new AppError(
      'CONFLICT',
      'the networks of this server changed while it was measured; measure it again',
    );
}

export interface MeasuredCell {
  readonly itemId: string;
  readonly armId: string;
  readonly measured: Readonly<Record<string, number | string>>;
}

/** Keeps what was measured; what is there already stays. False when this attempt should stop. */
export async function noteValues(
  { store }: Services,
  { id, attempt }: BenchmarkMeasurement,
  cells: readonly MeasuredCell[],
): Promise<boolean> {
  const { rowCount } = await store.pool.query(
    `WITH held AS (${HELD}),
     added AS (
       INSERT INTO benchmark_value (measurement_id, item_id, arm_id, measured)
       SELECT held.id, cell."itemId", cell."armId", cell.measured
       FROM held, jsonb_to_recordset($3::jsonb) AS cell ("itemId" uuid, "armId" uuid, measured jsonb)
       ON CONFLICT DO NOTHING)
     SELECT FROM held`,
    [id, attempt, JSON.stringify(cells)],
  );
  return rowCount === 1;
}

/** What is measured so far. */
export async function readValues({ store }: Services, measurementId: string): Promise<MeasuredCell[]> {
  const rows = await store.prisma.benchmarkValue.findMany({ where: { measurementId } });
  return rows.map(({ itemId, armId, measured }) => ({
    itemId,
    armId,
    measured: measured as MeasuredCell['measured'],
  }));
}

/** Ends a measurement with its results. A stale attempt writes nothing and gets false. */
export async function succeedMeasurement(
  { store }: Services,
  { id, attempt }: BenchmarkMeasurement,
  outcome: { readonly results: object; readonly provenance: object },
): Promise<boolean> {
  const { count } = await store.prisma.benchmarkMeasurement.updateMany({
    where: { id, attempt, state: MeasurementState.RUNNING },
    data: {
      state: MeasurementState.SUCCEEDED,
      results: outcome.results as Prisma.InputJsonObject,
      provenance: outcome.provenance as Prisma.InputJsonObject,
      finishedAt: new Date(),
    },
  });
  return count === 1;
}

/** Ends it with an error that its owner can act on. */
export async function failMeasurement(
  { store }: Services,
  { id, attempt }: BenchmarkMeasurement,
  fault: { readonly code: string; readonly message: string },
): Promise<void> {
  await store.prisma.benchmarkMeasurement.updateMany({
    where: { id, attempt, state: MeasurementState.RUNNING },
    data: {
      state: MeasurementState.FAILED,
      errorCode: fault.code,
      errorMessage: fault.message,
      finishedAt: new Date(),
    },
  });
}

/** Ends a measurement that the queue will not try again. */
export async function abandonMeasurement({ store }: Services, id: string): Promise<void> {
  await store.prisma.benchmarkMeasurement.updateMany({
    where: { id, state: { in: [MeasurementState.QUEUED, MeasurementState.RUNNING] } },
    data: {
      state: MeasurementState.FAILED,
      errorCode: 'UNAVAILABLE',
      errorMessage: "given up after several attempts; the worker's log says why; measure it again",
      finishedAt: new Date(),
    },
  });
}
