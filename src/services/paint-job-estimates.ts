// Where a paint job stands in the queue and when it will end, told from the measured pace of each model.

import { readSql } from '../store/sql.js';
import type { Services } from './context.js';

/** A device that has not beaten for so long is gone, and its job is given to another. */
export const DEAD_AFTER_SECONDS = 8;

const PACES = readSql('model-paces');
const ESTIMATES = readSql('estimate-paint-jobs');
const SECONDS_UNTIL_FEWER = readSql('seconds-until-fewer');

type Queryable = Pick<Services['store']['pool'], 'query'>;

interface Pace {
  readonly model_id: string;
  readonly pace: number | null;
  readonly jobs: number;
}

/**
 * How long a step of each model takes, over the mean of all measured models; 1 for an unmeasured one. A ratio stays what it
 * is when more gets measured, so that what was put in line before and after is counted alike.
 */
export async function stepWeights(client: Queryable): Promise<ReadonlyMap<string, number>> {
  const { rows } = await client.query<Pace>(PACES);
  const known = rows.flatMap(({ pace }) => (pace === null ? [] : [pace]));
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  return new Map(rows.map(({ model_id, pace }) => [model_id, pace === null ? 1 : pace / mean]));
}

export interface Estimate {
  /** 1 is served next; 0 runs now. */
  readonly queuePosition: number;
  /** Null without a device at work, or when jobs of an unmeasured model wait before it. */
  readonly startsInSeconds: number | null;
  readonly endsInSeconds: number | null;
}

/** Models with their paces as two arrays; an unmeasured model is NaN, which passes through sums. */
async function paceArrays(client: Queryable): Promise<[string[], number[]]> {
  const { rows } = await client.query<Pace>(PACES);
  return [rows.map((row) => row.model_id), rows.map((row) => row.pace ?? Number.NaN)];
}

const seconds = (value: number | null) => (value === null || !Number.isFinite(value) ? null : value);

/** Estimates by job id; jobs that have ended have none. One pass over the queue, for any number of jobs. */
export async function estimatePaintJobs(
  { store }: Pick<Services, 'store'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Estimate>> {
  const { rows } = await store.pool.query<{
    id: string;
    position: number;
    starts_in: number | null;
    ends_in: number | null;
  }>(ESTIMATES, [ids, DEAD_AFTER_SECONDS, ...(await paceArrays(store.pool))]);
  return new Map(
    rows.map(({ id, position, starts_in, ends_in }) => [
      id,
      { queuePosition: position, startsInSeconds: seconds(starts_in), endsInSeconds: seconds(ends_in) },
    ]),
  );
}

/** Seconds until `count` of a submitter's jobs have ended, or undefined when that cannot be told. */
export async function secondsUntilFewer(
  client: Queryable,
  submittedBy: string,
  count: number,
): Promise<number | undefined> {
  const { rows } = await client.query<{ seconds: number | null }>(SECONDS_UNTIL_FEWER, [
    submittedBy,
    count,
    DEAD_AFTER_SECONDS,
    ...(await paceArrays(client)),
  ]);
  return seconds(rows[0]?.seconds ?? null) ?? undefined;
}
