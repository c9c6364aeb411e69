// A study's results: read, analysed in a thread, and kept. Nothing here is known before the study is unsealed.

import type { Study } from '../generated/prisma/client.js';
import type { Services } from './context.js';
import { analyseApart, type StudyAnalysis } from './study-analysis.js';
import { SCALE } from './study-protocol.js';
import { type ResultRater, readRaters, readRatings, readRepeats } from './study-ratings.js';

/**
 * Changes whenever the same ratings would give other numbers. 2: raters and pairs are drawn in the order of seats and of the
 * benchmark (in 1, of ids that were random: the same ratings and seed gave other intervals in another database), and sign test
 * and signed ranks take one value a pair instead of dependent single ones. 3: so does Friedman's test.
 */
export const RESULTS_ALGORITHM = 'mindpainter-results-3';

const CATEGORIES = Array.from({ length: SCALE }, (_, i) => i + 1);
const RESAMPLES = 1000;
const CONFIDENCE = 0.95;

export interface StudyResults extends StudyAnalysis {
  readonly algorithm: string;
  readonly seed: number;
  readonly resamples: number;
  readonly confidence: number;
  readonly raters: readonly ResultRater[];
}

/**
 * What is kept, and a hash over all that can still change the results of an unsealed study: the record as it was closed, the raters
 * with what was decided about them, and the paintings that were withdrawn since.
 */
const KEPT = `
  WITH study AS (SELECT * FROM study WHERE id = $1::uuid),
  now AS (
    SELECT encode(sha256(convert_to(jsonb_build_array($2::text, study.chain_root,
      (SELECT jsonb_agg(jsonb_build_array(seat.number, rater.id, rater.state, rater.failed_checks, rater.exclusion_reason)
         ORDER BY seat.number)
       FROM study_seat AS seat JOIN study_rater AS rater ON rater.id = seat.rater_id WHERE seat.study_id = study.id),
      (SELECT jsonb_agg(job.id ORDER BY job.id) FROM benchmark_cell AS cell JOIN paint_job AS job ON job.id = cell.job_id
       WHERE cell.benchmark_id = study.benchmark_id AND job.withdrawn_at IS NOT NULL)
    )::text, 'UTF8')), 'hex') AS depends_on FROM study
  )
  SELECT now.depends_on AS "dependsOn", kept.results
  FROM now LEFT JOIN study_results AS kept ON kept.study_id = $1::uuid AND kept.depends_on = now.depends_on`;

const KEEP = `
  INSERT INTO study_results (study_id, depends_on, results) VALUES ($1::uuid, $2, $3::json)
  ON CONFLICT (study_id) DO UPDATE SET depends_on = $2, results = $3::json, computed_at = clock_timestamp()`;

/** By study and what it depends on: whoever asks meanwhile waits for the same. */
const underWay = new Map<string, Promise<StudyResults>>();
/** One analysis at a time: each takes a core and the memory of its ratings. */
let last: Promise<unknown> = Promise.resolve();

/** The results of an unsealed study, computed when first asked for; null before it is unsealed. */
export async function studyResults(services: Services, study: Study): Promise<StudyResults | null> {
  if (study.state !== 'UNSEALED') return null;
  const { rows } = await services.store.pool.query<{ dependsOn: string; results: StudyResults | null }>(
    KEPT,
    [study.id, RESULTS_ALGORITHM],
  );
  const { dependsOn, results } = rows[0]!;
  if (results) return results;
  const key = `${study.id} ${dependsOn}`;
  const running = underWay.get(key) ?? last.then(() => computeAndKeep(services, study, dependsOn));
  if (!underWay.has(key)) {
    underWay.set(key, running);
    last = running.catch(() => {}).finally(() => underWay.delete(key));
  }
  return running;
}

async function computeAndKeep(services: Services, study: Study, dependsOn: string): Promise<StudyResults> {
  const results = await computeResults(services, study);
  // Whatever changed since dependsOn was read has changed it: then this is kept in vain, and computed again.
  await services.store.pool.query(KEEP, [study.id, dependsOn, JSON.stringify(results)]);
  return results;
}

/** The results of a study, from its ratings. */
export async function computeResults(services: Services, study: Study): Promise<StudyResults> {
  const raters = await readRaters(services, study);
  const drawn = { seed: Number(study.seed), resamples: RESAMPLES, confidence: CONFIDENCE };
  const { all, kept, selfConsistency } = await analyseApart(async () => ({
    table: await readRatings(services, study, raters),
    repeats: await readRepeats(services, study),
    out: raters.filter(({ excluded }) => excluded !== null).map(({ seat }) => seat - 1),
    scale: CATEGORIES,
    ...drawn,
  }));
  return {
    algorithm: RESULTS_ALGORITHM,
    ...drawn,
    all,
    kept,
    raters: raters.map(({ seat: _, ...rater }) => rater),
    selfConsistency,
  };
}
