// What can be ordered of paint jobs, and how a batch is spelled out into single orders. Knows no database.

import { AppError } from '../errors.js';
import type { PaintMethod } from '../generated/prisma/client.js';

export interface PaintJobOrder {
  readonly imageId: string;
  readonly maskId: string;
  readonly trialIds: readonly string[];
  readonly modelId: string;
  readonly method: PaintMethod;
  readonly seed: number;
  readonly steps?: number | undefined;
  readonly guidanceScale?: number | undefined;
  readonly paintingCount: number;
}

export type PaintJobFields = { readonly [K in keyof PaintJobOrder]?: PaintJobOrder[K] | undefined };

/** Every combination of one alternative of each axis, over what all have in common, each `runs` times by growing seeds. */
export interface BatchOrder {
  readonly common: PaintJobFields;
  readonly axes: readonly (readonly PaintJobFields[])[];
  readonly runs: number;
}

export const MAX_BATCH = 10_000;

export function bad(field: string, message: string): never {
  throw new AppError('BAD_INPUT', message, { field });
}

/** Throws AppError BAD_INPUT on the first field that is missing or out of its range. */
export function checkOrder(order: PaintJobFields): asserts order is PaintJobOrder {
  for (const field of ['imageId', 'maskId', 'modelId', 'trialIds'] as const)
    if (order[field] === undefined) bad(field, `${field} is missing; give it for all jobs or for each`);
  const { seed, steps, guidanceScale, paintingCount, trialIds } = order as PaintJobOrder;
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    bad('seed', `seed must be a whole number from 0 to 4294967295, it is ${seed}`);
  if (steps !== undefined && (!Number.isInteger(steps) || steps < 1 || steps > 1000))
    bad('steps', `steps must be from 1 to 1000, it is ${steps}`);
  if (guidanceScale !== undefined && !(guidanceScale >= 0 && guidanceScale <= 30)) {
    bad('guidanceScale', `guidance must be from 0 to 30, it is ${guidanceScale}`);
  }
  if (!Number.isInteger(paintingCount) || paintingCount < 1 || paintingCount > 16) {
    bad('paintingCount', `the number of paintings must be from 1 to 16, it is ${paintingCount}`);
  }
  if (trialIds.length < 1 || trialIds.length > 100)
    bad('trialIds', 'give 1 to 100 trials; several are averaged');
  if (new Set(trialIds).size !== trialIds.length) bad('trialIds', 'each trial may be named once');
}

const given = (fields: PaintJobFields) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as PaintJobFields;

/**
 * The single orders of a batch, unchecked; the last axis varies fastest, runs faster still. Throws AppError BAD_INPUT or
 * TOO_LARGE before it makes more than MAX_BATCH.
 */
export function expandBatch({ common, axes, runs }: BatchOrder): readonly PaintJobFields[] {
  if (!Number.isInteger(runs) || runs < 1) bad('runs', `runs must be a whole number from 1, it is ${runs}`);
  const setBy = new Map<string, number>();
  for (const [number, axis] of axes.entries()) {
    if (axis.length === 0) bad('axes', `axis ${number} has no alternative; leave it out or fill it`);
    for (const field of new Set(axis.flatMap((alternative) => Object.keys(given(alternative))))) {
      const other = setBy.get(field);
      if (other !== undefined) bad('axes', `axes ${other} and ${number} both set ${field}; let one of them`);
      setBy.set(field, number);
    }
  }
  const count = axes.reduce((product, axis) => product * axis.length, runs);
  if (count > MAX_BATCH)
    throw new AppError('TOO_LARGE', `this is ${count} jobs; at most ${MAX_BATCH} go into one batch`, {
      field: 'axes',
    });
  const start: readonly PaintJobFields[] = [
    { method: 'BRAIN' as PaintMethod, seed: 0, paintingCount: 1, ...given(common) },
  ];
  const combined = axes.reduce<readonly PaintJobFields[]>(
    (orders, axis) => orders.flatMap((order) => axis.map((more) => ({ ...order, ...given(more) }))),
    start,
  );
  if (runs === 1) return combined;
  return combined.flatMap((order) =>
    Array.from({ length: runs }, (_, run) => ({ ...order, seed: order.seed! + run })),
  );
}
