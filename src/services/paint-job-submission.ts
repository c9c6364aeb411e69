// Submitting paint jobs: one or ten thousand, in one transaction, all or none; and trying ended ones again.

import { createHash } from 'node:crypto';
import type { PoolClient } from 'pg';
import { AppError, isAppError } from '../errors.js';
import type { PaintJob, PaintJobBatch } from '../generated/prisma/client.js';
import { readSql } from '../store/sql.js';
import { uuid7 } from '../store/uuid7.js';
import { traceParent } from '../telemetry/tracing.js';
import { authorize } from './access.js';
import { type AuditEntry, auditOn } from './audit.js';
import type { Services } from './context.js';
import { secondsUntilFewer, stepWeights } from './paint-job-estimates.js';
import {
  type BatchOrder,
  bad,
  checkOrder,
  expandBatch,
  type PaintJobFields,
  type PaintJobOrder,
} from './paint-job-orders.js';
import { loadParts, missing, type ResolvedJob, resolveOrder } from './paint-job-parts.js';

/** What a submission says besides its jobs. */
export interface SubmissionFacts {
  readonly submittedBy: string;
  /** The same key with the same request gives the first answer again, and stores nothing. */
  readonly idempotencyKey?: string | undefined;
  /** -10 to 10; higher is served first. */
  readonly priority?: number | undefined;
  /** A job that has not started by then is aborted. */
  readonly startWithinSeconds?: number | undefined;
}

/** What is wrong with one job of a batch; `index` counts the spelled-out jobs from 0. */
export interface JobFault {
  readonly index: number;
  readonly error: AppError;
}

export type BatchResult =
  | { readonly batch: PaintJobBatch; readonly faults: readonly [] }
  | { readonly batch: null; readonly faults: readonly JobFault[] };

const MAX_UNFINISHED = 20_000;
/** So many faults are told; the rest is of the same kind, mostly. */
const MAX_FAULTS = 100;
const YEAR_SECONDS = 366 * 86_400;

const INSERT_JOBS = readSql('insert-paint-jobs');
const INSERT_TRIALS = readSql('insert-paint-job-trials');
const SHARE_BASE = readSql('share-base');
/** A benchmark counts the retry, not the job that failed. */
const FOLLOW_RETRIES = `
  UPDATE benchmark_cell SET job_id = retry.id FROM unnest($1::uuid[], $2::uuid[]) AS retry (failed, id)
  WHERE benchmark_cell.job_id = retry.failed AND benchmark_cell.painting_id IS NULL`;

function checkFacts({ idempotencyKey, priority = 0, startWithinSeconds }: SubmissionFacts): void {
  if (idempotencyKey !== undefined && (idempotencyKey.length < 1 || idempotencyKey.length > 255))
    bad('idempotencyKey', 'a key has 1 to 255 characters');
  if (!Number.isInteger(priority) || priority < -10 || priority > 10)
    bad('priority', `priority must be a whole number from -10 to 10, it is ${priority}`);
  if (startWithinSeconds !== undefined && !(startWithinSeconds > 0 && startWithinSeconds <= YEAR_SECONDS))
    bad('startWithinSeconds', `give a number of seconds above 0 and up to a year, not ${startWithinSeconds}`);
}

/** Denoising steps of a job over all its paintings; the two-stage method decodes the brain first. */
const stepsOf = ({ method, steps, paintingCount }: ResolvedJob) =>
  steps * (paintingCount + (method === 'TWO_STAGE' ? 1 : 0));

async function checkCap(client: PoolClient, services: Services, facts: SubmissionFacts, count: number) {
  const { maxUnfinishedJobs: cap = MAX_UNFINISHED } = services;
  const { rows } = await client.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM paint_job WHERE submitted_by = $1 AND state IN ('QUEUED', 'RUNNING')`,
    [facts.submittedBy],
  );
  const unfinished = rows[0]!.n;
  if (unfinished + count <= cap) return;
  const tooMany = unfinished + count - cap;
  const retryAfterSeconds =
    tooMany <= unfinished ? await secondsUntilFewer(client, facts.submittedBy, tooMany) : undefined;
  const when =
    retryAfterSeconds === undefined ? '' : `; there is room in about ${Math.ceil(retryAfterSeconds)} s`;
  throw new AppError(
    'LIMIT_REACHED',
    `${unfinished} of your jobs wait or run, ${count} more would be over the limit of ${cap}${when}`,
    { field: 'axes', retryAfterSeconds },
  );
}

async function insertJobs(
  client: PoolClient,
  facts: SubmissionFacts,
  batchId: string,
  jobs: readonly ResolvedJob[],
): Promise<readonly string[]> {
  const { submittedBy, priority = 0, startWithinSeconds = null } = facts;
  const weights = await stepWeights(client);
  const { rows } = await client.query<{ base: number }>(SHARE_BASE, [submittedBy, priority]);
  let tag = rows[0]!.base;
  const ids = jobs.map(() => uuid7());
  const costs = jobs.map((job) => stepsOf(job) * weights.get(job.modelId)!);
  const tags = costs.map((cost) => {
    tag += cost;
    return tag - cost;
  });
  const column = <K extends keyof ResolvedJob>(name: K) => jobs.map((job) => job[name]);
  await client.query(INSERT_JOBS, [
    batchId,
    submittedBy,
    priority,
    startWithinSeconds,
    ids,
    column('imageId'),
    column('maskId'),
    column('modelId'),
    column('method'),
    column('seed'),
    column('steps'),
    column('guidanceScale'),
    column('paintingCount'),
    jobs.map(stepsOf),
    tags,
    costs,
    column('retriedFromId'),
  ]);
  const trials = jobs.flatMap((job, i) => [
    ...job.trialIds.map((id) => [ids[i]!, id, false] as const),
    ...job.shuffledTrialIds.map((id) => [ids[i]!, id, true] as const),
  ]);
  await client.query(INSERT_TRIALS, [
    trials.map((row) => row[0]),
    trials.map((row) => row[1]),
    trials.map((row) => row[2]),
  ]);
  if (jobs.some((job) => job.retriedFromId))
    await client.query(FOLLOW_RETRIES, [column('retriedFromId'), ids]);
  return ids;
}

/** Writes what a batch was made for, in the batch's transaction; its entry takes the place of the batch's in the audit. */
export type Attach = (
  client: PoolClient,
  batchId: string,
  jobIds: readonly string[],
) => Promise<Omit<AuditEntry, 'action'>>;

/**
 * Stores what `resolve` gives as one batch, unless the key was used before: then its batch is the answer. Submissions of
 * one person come one after another, so that caps and shares are counted right.
 */
export async function storeBatch(
  services: Services,
  action: 'submitPaintJob' | 'submitPaintJobs' | 'retryPaintJobs' | 'createBenchmark',
  facts: SubmissionFacts,
  request: object,
  resolve: (client: PoolClient) => Promise<readonly ResolvedJob[]>,
  attach?: Attach,
): Promise<string> {
  checkFacts(facts);
  const { submittedBy, idempotencyKey = null, priority = 0, startWithinSeconds = null } = facts;
  const requestSha256 = createHash('sha256')
    .update(JSON.stringify({ request, priority, startWithinSeconds }))
    .digest('hex');
  return services.store.transaction(async (client) => {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 72707370))', [submittedBy]);
    const { rows } = await client.query<{ id: string; request_sha256: string }>(
      'SELECT id, request_sha256 FROM paint_job_batch WHERE submitted_by = $1 AND idempotency_key = $2',
      [submittedBy, idempotencyKey],
    );
    const before = rows[0];
    if (before?.request_sha256 === requestSha256) return before.id;
    if (before)
      throw new AppError(
        'CONFLICT',
        'this key was used for another request; draw a new key for each request',
        {
          field: 'idempotencyKey',
        },
      );
    const jobs = await resolve(client);
    await checkCap(client, services, facts, jobs.length);
    const batchId = uuid7();
    await client.query(
      `INSERT INTO paint_job_batch (id, submitted_by, idempotency_key, request_sha256, job_count, trace_parent)
       VALUES ($1::uuid, $2, $3, $4, $5::int, $6)`,
      [batchId, submittedBy, idempotencyKey, requestSha256, jobs.length, traceParent()],
    );
    const jobIds = await insertJobs(client, facts, batchId, jobs);
    // One event for all: its jobs name the batch, and what was ordered of them never changes.
    const after = { submittedBy, idempotencyKey, priority, startWithinSeconds, jobCount: jobs.length };
    const entry = await attach?.(client, batchId, jobIds);
    await auditOn(client, services.viewer, {
      action,
      ...(entry ?? { type: 'PaintJobBatch', id: batchId, after }),
    });
    return batchId;
  });
}

/** In one order of the keys, so that equal requests are equal texts. */
export const normal = (order: PaintJobFields) =>
  JSON.stringify(order, [
    'imageId',
    'maskId',
    'trialIds',
    'modelId',
    'method',
    'seed',
    'steps',
    'guidanceScale',
    'paintingCount',
  ]);

/** Checks one order against its parts and stores it. Throws AppError on the field at fault. */
export async function submitPaintJob(
  services: Services,
  order: PaintJobOrder,
  facts: SubmissionFacts,
): Promise<PaintJob> {
  authorize(services.viewer, 'submitPaintJob');
  checkOrder(order);
  const request = { submit: normal(order) };
  const batchId = await storeBatch(services, 'submitPaintJob', facts, request, async (client) => [
    resolveOrder(await loadParts(client, [order]), order),
  ]);
  return services.store.prisma.paintJob.findFirstOrThrow({ where: { batchId } });
}

/** Thrown within the transaction, so that it is rolled back; never leaves this file. */
class BatchRefused extends Error {
  readonly faults: readonly JobFault[];
  constructor(faults: readonly JobFault[]) {
    super('refused');
    this.faults = faults;
  }
}

/** Every fault of every order; what throws anything but an AppError throws on. */
function collectFaults<In, Out>(items: readonly In[], check: (item: In) => Out): Out[] {
  const faults: JobFault[] = [];
  const results = items.flatMap((item, index) => {
    try {
      return [check(item)];
    } catch (error) {
      if (!isAppError(error)) throw error;
      if (faults.length < MAX_FAULTS) faults.push({ index, error });
      return [];
    }
  });
  if (faults.length > 0) throw new BatchRefused(faults);
  return results;
}

/** Stores a whole batch or nothing: with a fault in any job, the faults (up to 100) are the answer. */
export async function submitPaintJobs(
  services: Services,
  order: BatchOrder,
  facts: SubmissionFacts,
): Promise<BatchResult> {
  authorize(services.viewer, 'submitPaintJobs');
  try {
    const orders = collectFaults(expandBatch(order), (fields) => {
      checkOrder(fields);
      return fields;
    });
    const request = { batch: orders.map(normal) };
    const batchId = await storeBatch(services, 'submitPaintJobs', facts, request, async (client) => {
      const parts = await loadParts(client, orders);
      return collectFaults(orders, (one) => resolveOrder(parts, one));
    });
    const batch = await services.store.prisma.paintJobBatch.findUniqueOrThrow({ where: { id: batchId } });
    return { batch, faults: [] };
  } catch (error) {
    if (error instanceof BatchRefused) return { batch: null, faults: error.faults };
    throw error;
  }
}

/** Which ended jobs to try again: by their ids, or those of a batch. */
export interface RetryChoice {
  readonly ids?: readonly string[] | undefined;
  readonly batchId?: string | undefined;
}

const RETRYABLE: readonly string[] = ['FAILED', 'CANCELLED', 'ABORTED'];
const RETRIED = readSql('retried-paint-jobs');

/** A job as it was ordered, and as it stands. */
type RetryRow = PaintJobOrder & {
  readonly id: string;
  readonly state: string;
  readonly shuffledTrialIds: readonly string[];
};

/**
 * Orders jobs that failed, were cancelled or aborted once more, as new jobs that name the old ones: same parts, same seed,
 * same trials. Throws AppError NOT_FOUND, or CONFLICT when one of `ids` has not ended or has its paintings.
 */
export async function retryPaintJobs(
  services: Services,
  { ids, batchId }: RetryChoice,
  facts: SubmissionFacts,
): Promise<PaintJobBatch> {
  authorize(services.viewer, 'retryPaintJobs');
  if ((ids === undefined) === (batchId === undefined)) bad('ids', 'give either ids or batchId');
  if (ids && (ids.length < 1 || ids.length > 10_000)) bad('ids', 'give 1 to 10000 ids');
  const field = ids ? 'ids' : 'batchId';
  const request = { retry: ids ? [...new Set(ids)].sort() : batchId };
  const id = await storeBatch(services, 'retryPaintJobs', facts, request, async (client) => {
    const { rows } = await client.query<RetryRow>(RETRIED, [ids ?? null, batchId ?? null]);
    if (ids && rows.length < new Set(ids).size) missing('id');
    const wrong = rows.find((job) => !RETRYABLE.includes(job.state));
    if (wrong)
      throw new AppError('CONFLICT', `a job that is ${wrong.state} cannot be retried; submit it anew`, {
        field,
      });
    if (rows.length === 0)
      throw new AppError('NOT_FOUND', 'no job of this batch has failed or was cancelled or aborted', {
        field,
      });
    const parts = await loadParts(client, rows);
    return rows.map(({ id: retriedFromId, shuffledTrialIds, ...job }) => {
      try {
        return { ...resolveOrder(parts, job), shuffledTrialIds, retriedFromId };
      } catch (cause) {
        // The caller has named jobs, not their parts.
        if (!isAppError(cause)) throw cause;
        throw new AppError(cause.code, `job ${retriedFromId}: ${cause.message}`, { field, cause });
      }
    });
  });
  return services.store.prisma.paintJobBatch.findUniqueOrThrow({ where: { id } });
}
