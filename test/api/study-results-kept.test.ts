// Results are computed once and again when what they depend on has changed; and nobody waits for those of a large study.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Study } from '../../src/generated/prisma/client.js';
import { computeResults, type StudyResults } from '../../src/services/study-results.js';
import { type Lab, startLab } from '../support/lab.js';
import { largeStudy } from '../support/large-study.js';

let lab: Lab;
let study: Study;

beforeAll(async () => {
  lab = await startLab();
  // 100 raters x 100 pairs x 2 arms x 3 criteria.
  study = await largeStudy(lab.services, { pictures: 10, signals: 10, criteria: 3, raters: 100, groups: 1 });
}, 300_000);
afterAll(async () => lab?.close());

async function results(): Promise<StudyResults> {
  const { data, errors } = await lab.send('query($id: ID!) { study(id: $id) { results } }', {
    id: `Study_${study.id}`,
  });
  expect(errors).toBeUndefined();
  return (data!.study as { results: StudyResults }).results;
}

async function computedAt(): Promise<Date> {
  const { rows } = await lab.services.store.pool.query<{ at: Date }>(
    'SELECT computed_at AS at FROM study_results WHERE study_id = $1::uuid',
    [study.id],
  );
  return rows[0]!.at;
}

test('while results of 60,000 ratings are computed, a trivial query is answered as ever', async () => {
  const times: number[] = [];
  let done = false;
  const started = performance.now();
  const asked = Promise.all([results(), results()]).finally(() => {
    done = true;
  });
  while (!done) {
    const sent = performance.now();
    await lab.send('{ __typename }');
    times.push(performance.now() - sent);
  }
  const [one, two] = await asked;
  expect(one.all.ratings).toBe(60_000);
  // Who asks meanwhile gets the same.
  expect(two).toEqual(one);
  // On the event loop, one query would have waited for all of it.
  expect(times.length).toBeGreaterThan(10);
  expect(Math.max(...times)).toBeLessThan((performance.now() - started) / 3);
}, 120_000);

test('they are kept: the export and later requests have the same, and nothing is computed again', async () => {
  const first = await results();
  const at = await computedAt();
  expect(await results()).toEqual(first);
  const exported = await (await fetch(`${lab.url}/files/studies/${study.id}/export.json`)).json();
  expect((exported as { results: StudyResults }).results).toEqual(first);
  expect(await (await fetch(`${lab.url}/files/studies/${study.id}/report.html`)).text()).toContain(
    first.algorithm,
  );
  expect(await computedAt()).toEqual(at);
  // And they are what computing anew would give.
  expect(JSON.parse(JSON.stringify(await computeResults(lab.services, study)))).toEqual(first);
}, 120_000);

test('an excluded rater changes the answer', async () => {
  const before = await results();
  expect(before.kept).toBeNull();
  await lab.services.store.pool.query(
    `UPDATE study_rater SET excluded_at = clock_timestamp(), exclusion_reason = 'answered by chance'
     WHERE id = (SELECT rater_id FROM study_seat WHERE study_id = $1::uuid AND number = 3)`,
    [study.id],
  );
  const after = await results();
  expect(after.all).toEqual(before.all);
  expect(after.kept!.ratings).toBe(59_400);
  expect(after.raters[2]).toMatchObject({ label: 'rater 03', excluded: 'answered by chance' });
}, 120_000);

test('a withdrawn painting leaves the results, and its partner without a pair', async () => {
  const before = await results();
  await lab.services.store.pool.query(
    `UPDATE paint_job SET withdrawn_at = clock_timestamp() WHERE id = (
       SELECT cell.job_id FROM benchmark_cell AS cell JOIN benchmark_item AS item ON item.id = cell.item_id
       JOIN benchmark_arm AS arm ON arm.id = cell.arm_id
       WHERE item.benchmark_id = $1::uuid AND item.position = 0 AND arm.position = 0)`,
    [study.benchmarkId],
  );
  const after = await results();
  expect(before.all.ratings - after.all.ratings).toBe(100 * 3);
  expect(after.all.comparisons.map(({ unpaired }) => unpaired)).toEqual([100, 100, 100]);
}, 120_000);
