// The analysis of a study apart from the event loop: in a thread of its own, with a bound on its memory.

import { Worker } from 'node:worker_threads';
import { createRng } from '../random.js';
import { type ConsistencyReport, type Retest, selfConsistency } from '../stats/rater-checks.js';
import { type RatingTable, withoutRaters } from '../stats/rating-table.js';
import { type Analysis, analyseStudy } from '../stats/study-analysis.js';
import type { Repeat } from './study-ratings.js';

export interface AnalysisTask {
  readonly table: RatingTable;
  readonly repeats: readonly Repeat[];
  /** Indices of the raters whom the lead left out. */
  readonly out: readonly number[];
  readonly scale: readonly number[];
  readonly seed: number;
  readonly resamples: number;
  readonly confidence: number;
}

export interface StudyAnalysis {
  readonly all: Analysis;
  /** Without those left out; null where nobody is. */
  readonly kept: Analysis | null;
  readonly selfConsistency: ConsistencyReport;
}

export function analyse({ table, repeats, out, scale, ...numbers }: AnalysisTask): StudyAnalysis {
  const options = { ...numbers, createRandom: createRng };
  return {
    all: analyseStudy(table, scale, options),
    kept: out.length === 0 ? null : analyseStudy(withoutRaters(table, new Set(out)), scale, options),
    selfConsistency: selfConsistency(
      repeats.flatMap((repeat) => retestsOf(repeat, table.criteria.length)),
      scale,
    ),
  };
}

/** A duplicate shows its original with the sides swapped. */
function retestsOf({ rater, first, second }: Repeat, criteria: number): Retest[] {
  const sides = first.length / criteria;
  return [...first].flatMap((value, i) => {
    const swapped = (sides - 1 - Math.floor(i / criteria)) * criteria + (i % criteria);
    const again = second[swapped];
    return again === undefined ? [] : [{ rater, first: Number(value), second: Number(again) }];
  });
}

/** Node 20 loads TypeScript in a thread only once the loader is registered there; `--import tsx` reaches the main thread alone. */
const THREAD = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))})
  .then(({ register }) => { register(); return import(${JSON.stringify(new URL('./study-analysis-thread.ts', import.meta.url).href)}); });`;
/** For objects: the columns come on top, about 20 bytes a painting that was rated. A million ratings need less than 64. */
const HEAP_MB = 256;

/**
 * `analyse` in a thread that starts while its task is read, and ends with it. The table's columns move there: the caller has them
 * no more.
 */
export async function analyseApart(
  read: () => Promise<AnalysisTask>,
  heapMb = HEAP_MB,
): Promise<StudyAnalysis> {
  const thread = new Worker(THREAD, {
    eval: true,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  const outcome = new Promise<StudyAnalysis>((done, fail) => {
    thread.once('message', done);
    thread.once('error', fail);
    thread.once('exit', (code) => fail(new Error(`the analysis ended without results (exit ${code})`)));
  });
  outcome.catch(() => {});
  try {
    const task = await read();
    const { groups, rater, item, arm, beside, values } = task.table;
    const columns = [groups, rater, item, arm, beside, values].map(({ buffer }) => buffer as ArrayBuffer);
    thread.postMessage(task, columns);
    return await outcome;
  } finally {
    await thread.terminate();
  }
}
