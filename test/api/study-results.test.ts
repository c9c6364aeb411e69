// Results, export and report of a study that was rated by the API; and that an export that was touched is found out.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StudyResults } from '../../src/services/study-results.js';
import { type ExportedStudy, verifyExport } from '../../src/services/study-verification.js';
import { type Lab, startLab } from '../support/lab.js';
import { frozenBenchmark } from '../support/study-lab.js';
import { answersTo, mutate, raterBy } from '../support/study-raters.js';

let lab: Lab;
let id: string;
let uuid: string;
/** What was answered, by what only the test knows: the arm of each picture. */
const given: { arm: string; criterion: string; value: number }[] = [];
let raterHeaders: Readonly<Record<string, string>>;

const file = (name: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${lab.url}/files/studies/${uuid}/${name}`, { headers });

beforeAll(async () => {
  lab = await startLab();
  const { benchmark } = await frozenBenchmark(lab.services, 16);
  const input = {
    name: 'a study, "quoted" <b>',
    benchmarkId: `Benchmark_${benchmark.id}`,
    raters: 4,
    groups: 2,
    catchTrials: { instructed: 1, duplicates: 1, grossFailures: 1 },
    criteria: [
      { name: '=realism', question: 'How real?' },
      { name: 'same', question: 'Is it one?' },
    ],
    seed: 11,
  };
  const made = await mutate<{ study: { id: string } }>(lab, 'createStudy', input, 'study { id }');
  id = made.study.id;
  uuid = id.slice('Study_'.length);
  await mutate(lab, 'pilotStudy', { id, studies: 1 }, 'study { id }');
  await mutate(lab, 'openStudy', { id }, 'study { id }');
  const { invitations } = await mutate<{ invitations: { path: string }[] }>(
    lab,
    'inviteStudyRaters',
    { studyId: id, count: 4 },
    'invitations { path }',
  );
  const { pool } = lab.services.store;
  const { rows } = await pool.query<{ id: string; arm: string | null; kind: string }>(
    `SELECT picture.id, arm.name AS arm, slot.kind FROM study_picture AS picture JOIN study_slot AS slot ON slot.id = picture.slot_id
     LEFT JOIN benchmark_arm AS arm ON arm.id = picture.arm_id WHERE slot.study_id = $1 AND picture.role = 'CANDIDATE'`,
    [uuid],
  );
  const armOf = new Map(rows.map((row) => [row.id, row]));
  let turn = 0;
  for (const [number, { path }] of invitations.entries()) {
    const rater = await raterBy(lab, id, path);
    raterHeaders = rater.headers;
    let { study } = await rater.start();
    while (study!.screen) {
      const screen = study!.screen;
      const answers = answersTo(screen) as { pictureId?: string; criterion?: string; value: number }[];
      for (const answer of answers) {
        const picture = answer.pictureId ? armOf.get(answer.pictureId)! : undefined;
        if (!picture) continue;
        turn += 1;
        if (picture.arm === null) answer.value = 1;
        else if (answer.criterion === 'same') answer.value = 2;
        else answer.value = picture.arm === 'mindpainter' ? 2 + (turn % 2) : 1 + (turn % 3 === 0 ? 1 : 0);
        if (picture.kind === 'RATING')
          given.push({ arm: picture.arm!, criterion: answer.criterion!, value: answer.value });
      }
      const answer = { tabId: study!.tabId, slotId: screen.slotId, answerId: randomUUID(), answers };
      const next = await rater.submit(answer);
      expect(next.userErrors).toEqual([]);
      study = next.study;
    }
    expect([number, study!.state]).toEqual([number, 'FINISHED']);
  }
}, 180_000);
afterAll(async () => lab?.close());

test('sealed: no results and no export before the study is unsealed, for nobody', async () => {
  const ask = () => lab.send('query($id: ID!) { study(id: $id) { results exportPath seed } }', { id });
  expect((await ask()).data!.study).toEqual({ results: null, exportPath: null, seed: null });
  for (const name of ['export.json', 'ratings.csv', 'report.html'])
    expect((await file(name)).status).toBe(409);
  await mutate(lab, 'closeStudy', { id }, 'study { id }');
  expect((await ask()).data!.study).toEqual({ results: null, exportPath: null, seed: null });
  expect((await file('export.json')).status).toBe(409);
  const { data } = await lab.send('query($id: ID!) { study(id: $id) { raters { id name } } }', { id });
  const { raters } = data!.study as { raters: { id: string; name: string }[] };
  const verdict = { studyId: id, raterId: raters[0]!.id, verdict: 'EXCLUDE', reason: 'answered by chance' };
  expect((await mutate(lab, 'judgeStudyRater', verdict, 'study { id }')).userErrors).toEqual([]);
  await mutate(lab, 'unsealStudy', { id }, 'study { id }');
  expect((await mutate(lab, 'judgeStudyRater', verdict, 'study { id }')).userErrors[0]).toMatchObject({
    code: 'CONFLICT',
  });
  // A rater still sees nothing of it.
  for (const name of ['export.json', 'ratings.csv', 'report.html'])
    expect((await file(name, raterHeaders)).status).toBe(404);
}, 60_000);

test('results are what was answered, in few statements, with and without the excluded', async () => {
  const { pool } = lab.services.store;
  const query = pool.query.bind(pool) as (...args: unknown[]) => unknown;
  let statements = 0;
  pool.query = ((...args: unknown[]) => {
    statements += 1;
    return query(...args);
  }) as typeof pool.query;
  const { data, errors } = await lab.send(
    'query($id: ID!) { study(id: $id) { name state seed exportPath chainRoot results } }',
    { id },
  );
  pool.query = query as typeof pool.query;
  expect(errors).toBeUndefined();
  expect(statements).toBeLessThanOrEqual(8);
  const study = data!.study as { seed: number; exportPath: string; results: StudyResults };
  expect(study).toMatchObject({ seed: 11, exportPath: `/files/studies/${uuid}/` });
  const { all, kept, raters, selfConsistency } = study.results;
  expect(all.ratings).toBe(given.length);
  expect(given).toHaveLength(4 * 8 * 2 * 2);
  expect(kept!.ratings).toBe((given.length * 3) / 4);
  for (const arm of ['mindpainter', 'two-stage']) {
    const values = given
      .filter((one) => one.arm === arm && one.criterion === '=realism')
      .map(({ value }) => value);
    const found = all.arms.find((one) => one.arm === arm && one.criterion === '=realism')!;
    expect(found.count).toBe(values.length);
    expect(found.distribution).toEqual([1, 2, 3].map((v) => values.filter((value) => value === v).length));
    expect((found.mean as { value: number }).value).toBeCloseTo(
      values.reduce((a, b) => a + b) / values.length,
      10,
    );
  }
  const [realism, same] = all.comparisons;
  expect(realism).toMatchObject({
    criterion: '=realism',
    arm: 'mindpainter',
    comparedWith: 'two-stage',
    unpaired: 0,
  });
  const { mean, wins, ties, losses } = realism!.difference;
  expect(wins + ties + losses).toBe(32);
  const interval = realism!.interval.studentised as { value: { low: number; high: number } };
  expect(interval.value.low).toBeLessThan((mean as { value: number }).value);
  expect(interval.value.high).toBeGreaterThan((mean as { value: number }).value);
  // Whoever always answers 2 shows no variance: undefined, with the reason.
  expect(same!.interval.studentised).toMatchObject({
    status: 'UNDEFINED',
    reason: expect.stringMatching(/variance/),
  });
  expect(same!.difference).toMatchObject({ wins: 0, ties: 32, losses: 0 });
  expect(raters.map(({ excluded }) => excluded)).toEqual(['answered by chance', null, null, null]);
  expect(selfConsistency.repeats).toBe(4 * 2 * 2);
}, 60_000);

test('the export: tables, a dictionary, and a record that shows every touch', async () => {
  const csv = (await (await file('ratings.csv')).text()).trimEnd().split('\r\n');
  expect(csv).toHaveLength(1 + given.length);
  expect(csv[0]).toBe(
    'rater,group,pair,screen_arms,arm,criterion,value,response_ms,at,event_number,excluded',
  );
  expect(csv[1]).toMatch(
    /^rater 01,1,\d+,mindpainter \| two-stage,(mindpainter|two-stage),('=realism|same),[123],900,.*Z,\d+,true$/,
  );
  const dictionary = await (await file('dictionary.csv')).text();
  for (const column of csv[0]!.split(',')) expect(dictionary).toMatch(new RegExp(`^${column},`, 'm'));

  const response = await file('export.json');
  expect(response.headers.get('content-type')).toContain('application/json');
  const text = await response.text();
  const exported = JSON.parse(text) as ExportedStudy & Record<string, unknown>;
  const fields = Object.keys(exported.dictionary as object);
  for (const key of Object.keys(exported).filter((one) => !['format', 'dictionary', 'results'].includes(one)))
    expect(fields).toContain(key);
  // 8 screens and 3 checks of each of 4 raters.
  expect(verifyExport(exported)).toMatchObject({
    events: 44,
    raters: 4,
    root: exported.chainRoot,
    faults: [],
  });

  type Copy = { -readonly [K in keyof ExportedStudy]: ExportedStudy[K] } & {
    events: Record<string, unknown>[];
  };
  const touched = (touch: (copy: Copy) => void): number => {
    const copy = JSON.parse(text) as Copy;
    touch(copy);
    return verifyExport(copy as ExportedStudy).faults.length;
  };
  const touches: ((copy: Copy) => void)[] = [
    (copy) => Object.assign(copy.events[5]!, { answers: [3, 3, 3, 3] }),
    (copy) => Object.assign(copy.events[5]!, { at: new Date(0).toISOString() }),
    (copy) => copy.events.splice(5, 1),
    (copy) => copy.events.pop(),
    (copy) => copy.events.splice(0, 11),
    (copy) => copy.events.reverse(),
    (copy) => Object.assign(copy.protocol.criteria[0]!, { question: 'How nice?' }),
    (copy) => Object.assign(copy, { seed: 12 }),
    (copy) => Object.assign(copy, { chainRoot: '0'.repeat(64) }),
  ];
  expect(touches.map(touched).filter((faults) => faults === 0)).toEqual([]);
}, 60_000);

test('the report says what the study cannot show, and prints what others wrote as text', async () => {
  const response = await file('report.html');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  const html = await response.text();
  expect(html).toContain('a study, &quot;quoted&quot; &lt;b&gt;');
  expect(html).toContain('4 raters are fewer than the 15');
  expect(html).toContain('each group rates its own items');
  expect(html).toContain('scale of 3 points');
  expect(html).toContain('same: 100 % of the pairs mindpainter against two-stage are ties');
  expect(html).toContain('Results without excluded raters');
  expect(html.match(/<svg/g)).toHaveLength(4);
  expect(html).not.toMatch(/NaN|undefined<\/td>/);
}, 60_000);
