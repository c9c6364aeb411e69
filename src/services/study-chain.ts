// Hashes that make a study's record tamper-evident: one chain of events a rater, and one root over all chains. Pure.

import { createHash } from 'node:crypto';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** JSON with its keys sorted, so that equal values are equal texts wherever they were stored. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** sha256 of a value's canonical JSON. */
export const hashOf = (value: unknown): string => sha256(canonicalJson(value));

/** A rating event as it is hashed and exported. */
export interface ChainedEvent {
  readonly rater: string;
  /** From 1, without gaps. */
  readonly number: number;
  readonly slot: string;
  readonly kind: 'RATE' | 'UNDO';
  readonly answers: readonly number[];
  readonly clientId: string;
  readonly responseMs: number | null;
  readonly consentSha256: string;
  /** ISO 8601, milliseconds. */
  readonly at: string;
}

/** Where a rater's chain starts: bound to its study and rater. */
export const chainStart = (study: string, rater: string): string =>
  hashOf(['mindpainter-chain-1', study, rater]);

/** The hash of an event that follows the one with hash `previous`. */
export function eventHash(previous: string, event: ChainedEvent): string {
  const { rater, number, slot, kind, answers, clientId, responseMs, consentSha256, at } = event;
  return hashOf([previous, rater, number, slot, kind, answers, clientId, responseMs, consentSha256, at]);
}

export interface ChainEnd {
  readonly rater: string;
  readonly events: number;
  readonly head: string;
}

/** One hash over all chains, in the order of the raters' ids; raters without events are left out. */
export function chainRoot(study: string, ends: readonly ChainEnd[]): string {
  const sorted = ends
    .filter(({ events }) => events > 0)
    .sort((a, b) => (a.rater < b.rater ? -1 : 1))
    .map(({ rater, events, head }) => [rater, events, head]);
  return hashOf(['mindpainter-root-1', study, sorted]);
}
