// Whether an exported study is as it was recorded: its chains, their root, and the frozen protocol. Pure.

import { type ChainedEvent, chainRoot, chainStart, eventHash } from './study-chain.js';
import { protocolHash, type StudyProtocol } from './study-protocol.js';

/** The parts of an export that are checked. */
export interface ExportedStudy {
  readonly study: { readonly id: string };
  readonly seed: number;
  readonly algorithm: string;
  readonly protocol: StudyProtocol;
  readonly protocolSha256: string;
  readonly chainRoot: string;
  readonly raters: readonly { readonly id: string; readonly events: number; readonly head: string }[];
  readonly events: readonly (ChainedEvent & { readonly hash: string })[];
}

export interface Verification {
  readonly events: number;
  readonly raters: number;
  readonly root: string;
  /** What does not fit, in sentences; empty where all does. */
  readonly faults: readonly string[];
}

/** Recomputes every hash of an export. */
export function verifyExport(exported: ExportedStudy): Verification {
  const { study, raters, events } = exported;
  const faults: string[] = [];
  const ends = new Map<string, { rater: string; events: number; head: string }>();
  for (const event of events) {
    const before = ends.get(event.rater) ?? {
      rater: event.rater,
      events: 0,
      head: chainStart(study.id, event.rater),
    };
    if (event.number !== before.events + 1)
      faults.push(`rater ${event.rater}: event ${event.number} follows event ${before.events}`);
    const hash = eventHash(before.head, event);
    if (hash !== event.hash)
      faults.push(`rater ${event.rater}: event ${event.number} does not have its hash`);
    ends.set(event.rater, { rater: event.rater, events: before.events + 1, head: hash });
  }
  for (const { id, events: count, head } of raters) {
    const end = ends.get(id);
    if (count !== (end?.events ?? 0)) faults.push(`rater ${id}: ${end?.events ?? 0} events of ${count}`);
    else if (end && end.head !== head) faults.push(`rater ${id}: the chain does not end as recorded`);
  }
  const root = chainRoot(study.id, [...ends.values()]);
  if (root !== exported.chainRoot) faults.push(`the root is ${root}, not ${exported.chainRoot}`);
  if (protocolHash(exported.protocol, exported.seed, exported.algorithm) !== exported.protocolSha256)
    faults.push('protocol, algorithm or design are not what was frozen when the study was opened');
  return { events: events.length, raters: ends.size, root, faults };
}
