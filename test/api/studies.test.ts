// Studies: the design in the database, the life cycle, and rating by people who make every mistake there is.

import { randomUUID } from 'node:crypto';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lab, startLab } from '../support/lab.js';
import { frozenBenchmark } from '../support/study-lab.js';
import { answersTo, mutate, RATER_STUDY, type Rater, raterBy, type Shown } from '../support/study-raters.js';

let lab: Lab;
let benchmarkId: string;
beforeAll(async () => {
  lab = await startLab();
  const made = await frozenBenchmark(lab.services, 17);
  benchmarkId = `Benchmark_${made.benchmark.id}`;
}, 120_000);
afterAll(async () => lab?.close());

interface StudyShown {
  readonly id: string;
  readonly state: string;
  readonly balance: string;
  readonly seed: number | null;
  readonly protocolSha256: string | null;
  readonly chainRoot: string | null;
  readonly progress: Record<string, number>;
  readonly raters: {
    id: string;
    name: string;
    state: string;
    failedChecks: number;
    exclusionReason: string | null;
  }[];
  readonly pilot: {
    criteria: { criterion: string; expectedWidth: number; plantedDifference: number; power: number }[];
  } | null;
}
const STUDY = `study { id state balance seed protocolSha256 chainRoot pilot
  progress { screens answered seats seatsTaken seatsFinished invited paused }
  raters { id name state failedChecks exclusionReason } }`;
type Payload = { study: StudyShown | null };

const order = (more: object = {}) => ({
  name: 'which is better',
  benchmarkId,
  raters: 4,
  groups: 2,
  catchTrials: { instructed: 1, duplicates: 1, grossFailures: 1 },
  practice: [{ position: 0, feedback: 'The left one is blurred.' }],
  ...more,
});
const create = (more: object = {}) => mutate<Payload>(lab, 'createStudy', order(more), STUDY);
const step = (name: string, id: string) => mutate<Payload>(lab, name, { id }, STUDY);
const read = async (id: string) =>
  (await lab.send(`query($id: ID!) { study(id: $id) { ${STUDY.slice(8, -2)} } }`, { id })).data!
    .study as StudyShown;

async function openStudy(
  more: object = {},
  invited = 4,
): Promise<{ id: string; raters: Rater[]; names: string[] }> {
  const { study, userErrors } = await create(more);
  expect(userErrors).toEqual([]);
  await mutate(lab, 'pilotStudy', { id: study!.id, studies: 1 }, STUDY);
  expect((await step('openStudy', study!.id)).userErrors).toEqual([]);
  const { invitations } = await mutate<{ invitations: { raterName: string; path: string }[] }>(
    lab,
    'inviteStudyRaters',
    { studyId: study!.id, count: invited },
    'invitations { raterName path }',
  );
  const raters: Rater[] = [];
  for (const { path } of invitations) raters.push(await raterBy(lab, study!.id, path));
  return { id: study!.id, raters, names: invitations.map(({ raterName }) => raterName) };
}

const keyOf = (id: string) => id.slice(id.indexOf('_') + 1);

/** Answers until nothing is left or the rater is stopped. */
async function rateAll(rater: Rater, value?: (side: number, criterion: string) => number): Promise<Shown> {
  let { study } = await rater.start();
  while (study!.screen) {
    const { slotId } = study!.screen;
    const answer = {
      tabId: study!.tabId,
      slotId,
      answerId: randomUUID(),
      answers: answersTo(study!.screen, value),
    };
    const next = await rater.submit(answer);
    expect(next.userErrors).toEqual([]);
    study = next.study;
  }
  return study!;
}

test('a design that cannot be balanced says why and what would work; the preset wants the paper s shape', async () => {
  const cases: [object, string, RegExp][] = [
    [{ raters: 6 }, 'raters', /Feasible: 4 or 8/],
    [{ practice: [] }, 'items', /Feasible/],
    [{ arms: ['mindpainter', 'nobody'] }, 'arms', /has no arm "nobody"; it has mindpainter, two-stage/],
    [{ preset: 'MINDPAINTER', raters: null, groups: null }, 'preset', /exactly 100 pairs; .* has 16/],
    [{ preset: 'MINDPAINTER' }, 'raters', /the preset sets raters to 20/],
    [{ criteria: [] }, 'criteria', /1 or more/],
    [
      { criteria: [{ name: 'a', question: 'b', values: ['bad', 'good'] }] },
      'criteria',
      /what each of 1 to 3 means/,
    ],
    [{ undoSeconds: -1 }, 'undoSeconds', /whole number/],
    [{ practice: [{ position: 99, feedback: 'x' }] }, 'practice', /no item 99/],
  ];
  const before = await lab.census();
  for (const [more, field, message] of cases) {
    const { study, userErrors } = await create(more);
    expect([field, study]).toEqual([field, null]);
    expect(userErrors[0]).toMatchObject({
      code: 'BAD_INPUT',
      field,
      message: expect.stringMatching(message),
    });
  }
  expect(await lab.census()).toEqual(before);
}, 60_000);

test('the life of a study: each step in its turn, the design fixed in the database, the seed sealed', async () => {
  const { study } = await create({ seed: 5 });
  const id = study!.id;
  expect(study).toMatchObject({
    state: 'DRAFT',
    seed: null,
    progress: { screens: 32, answered: 0, seats: 4 },
  });
  expect(study!.balance).toMatch(/16 items, 4 raters in 2 groups: 192 ratings on 32 screens/);
  expect(study!.balance).toMatch(/exactly balanced/);
  const { pool } = lab.services.store;
  const key = keyOf(id);
  // One more rater of an item than planned: the database itself refuses.
  await expect(
    pool.query(
      `INSERT INTO study_slot (study_id, seat_id, position, kind, item_id, arms_key, overlap, overlap_limit)
       SELECT study_id, seat_id, 99, kind, item_id, arms_key, overlap_limit, overlap_limit FROM study_slot
       WHERE study_id = $1 AND kind = 'RATING' LIMIT 1`,
      [key],
    ),
  ).rejects.toThrow(/study_slot_(overlap_check|check)/);
  await expect(
    pool.query(
      `INSERT INTO study_slot (study_id, seat_id, position, kind, item_id, arms_key, overlap, overlap_limit)
       SELECT study_id, (SELECT seat_id FROM study_slot WHERE study_id = $1 AND seat_id <> s.seat_id LIMIT 1), 99, kind, item_id,
         arms_key, overlap, overlap_limit FROM study_slot AS s WHERE study_id = $1 AND kind = 'RATING' LIMIT 1`,
      [key],
    ),
  ).rejects.toThrow(/study_slot_overlap_key/);

  expect((await step('openStudy', id)).userErrors[0]).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringMatching(/pilot/),
  });
  const pilot = await mutate<Payload>(lab, 'pilotStudy', { id, studies: 2 }, STUDY);
  expect(pilot.study!.state).toBe('PILOTED');
  expect(pilot.study!.pilot!.criteria.map(({ criterion }) => criterion)).toEqual([
    'realism',
    'harmony',
    'fidelity',
  ]);
  expect(
    pilot.study!.pilot!.criteria.every(({ expectedWidth }) => expectedWidth > 0 && expectedWidth < 3),
  ).toBe(true);
  const rows = await pool.query('SELECT count(*)::int AS n FROM study_event WHERE study_id = $1', [key]);
  expect(rows.rows[0].n).toBe(0);

  const open = await step('openStudy', id);
  expect(open.study!.protocolSha256).toMatch(/^[0-9a-f]{64}$/);
  for (const statement of [
    "UPDATE study SET protocol = '{}' WHERE id = $1",
    'UPDATE study SET seed = 6 WHERE id = $1',
    'UPDATE study_slot SET position = position + 100 WHERE study_id = $1',
    'DELETE FROM study_picture WHERE slot_id IN (SELECT id FROM study_slot WHERE study_id = $1)',
  ])
    await expect(pool.query(statement, [key])).rejects.toThrow(/frozen|design stands/);
  expect((await step('pauseStudy', id)).study!.state).toBe('PAUSED');
  expect((await step('openStudy', id)).study).toMatchObject({
    state: 'OPEN',
    protocolSha256: open.study!.protocolSha256,
  });
  expect((await step('unsealStudy', id)).userErrors[0]).toMatchObject({ code: 'CONFLICT' });
  const closed = await step('closeStudy', id);
  expect(closed.study).toMatchObject({
    state: 'CLOSED',
    seed: null,
    chainRoot: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect((await step('openStudy', id)).userErrors[0]).toMatchObject({ code: 'CONFLICT' });
  expect((await step('unsealStudy', id)).study).toMatchObject({ state: 'UNSEALED', seed: 5 });
  const audited = await lab.services.store.prisma.auditEvent.findMany({
    where: { entityId: key },
    orderBy: { id: 'asc' },
  });
  expect(audited.map(({ action }) => action)).toContain('unsealStudy');
  expect(JSON.stringify(audited)).not.toContain('"seed"');
  const next = await create({ previousId: id });
  expect(next.userErrors).toEqual([]);
  expect((await create({ previousId: id })).userErrors[0]).toMatchObject({
    code: 'CONFLICT',
    field: 'previousId',
  });
}, 120_000);

test('rating: idempotent, in order, one page at a time, undo, completion', async () => {
  const { id, raters } = await openStudy({
    completionCode: 'ABC 1',
    completionUrl: 'https://example.org/?cc={code}',
  });
  const [rater, other] = raters as [Rater, Rater];
  expect((await rater.start(null)).userErrors[0]).toMatchObject({
    code: 'BAD_INPUT',
    field: 'consentVersion',
  });
  expect((await rater.start('0')).userErrors[0]).toMatchObject({
    code: 'BAD_INPUT',
    field: 'consentVersion',
  });
  const first = (await rater.start()).study!;
  expect(first).toMatchObject({
    state: 'ACTIVE',
    done: 0,
    total: 9,
    canUndo: false,
    undoSeconds: 0,
    closed: false,
    screen: { practice: true },
  });
  expect(first.criteria.map(({ values }) => values)).toEqual(new Array(3).fill(['poor', 'fair', 'good']));
  // Three screens ahead can be read and their pictures loaded, for a page that loses its connection.
  expect(first.ahead).toHaveLength(3);
  for (const { url } of first.ahead.flatMap(({ pictures }) => pictures))
    expect((await fetch(`${lab.url}${url}`, { headers: rater.headers })).status).toBe(200);
  const theirs = (await other.start()).study!;
  const screen = first.screen!;
  const good = { tabId: first.tabId, slotId: screen.slotId, answerId: 'one', answers: answersTo(screen) };
  const bad = async (more: object, code: string, field: string) => {
    const { study, userErrors } = await rater.submit({ ...good, ...more });
    expect([more, study, userErrors[0]]).toMatchObject([more, null, { code, field }]);
  };
  const before = await lab.census();
  const one = good.answers[0] as { pictureId: string; criterion: string };
  const rest = good.answers.slice(1);
  for (const value of [0, 4, -1])
    await bad({ answers: [{ ...one, value }, ...rest] }, 'BAD_INPUT', 'answers');
  await bad({ answers: rest }, 'BAD_INPUT', 'answers');
  await bad({ answers: [...good.answers, { ...one, value: 2 }] }, 'BAD_INPUT', 'answers');
  await bad({ answers: [{ ...one, criterion: 'beauty', value: 2 }, ...rest] }, 'BAD_INPUT', 'answers');
  await bad(
    { answers: [{ ...one, pictureId: theirs.screen!.pictures[0]!.id, value: 2 }, ...rest] },
    'BAD_INPUT',
    'answers',
  );
  await bad({ slotId: theirs.screen!.slotId }, 'NOT_FOUND', 'slotId');
  await bad({ slotId: 'nonsense' }, 'NOT_FOUND', 'slotId');
  await bad({ tabId: randomUUID() }, 'CONFLICT', 'tabId');
  await bad({ answerId: '' }, 'BAD_INPUT', 'answerId');
  await bad({ responseMs: -5 }, 'BAD_INPUT', 'responseMs');
  expect(await lab.census()).toEqual(before);

  // A second tab takes over; the first one may write no more.
  const second = (await rater.start()).study!;
  expect(second.tabId).not.toBe(first.tabId);
  await bad({}, 'CONFLICT', 'tabId');
  Object.assign(good, { tabId: second.tabId });
  const done = await rater.submit(good);
  expect(done).toMatchObject({
    feedback: 'The left one is blurred.',
    study: { done: 1, canUndo: true, screen: { practice: false } },
  });
  expect(done.study!.undoSeconds).toBeGreaterThan(200);
  // The window runs on.
  const same = <T extends { study: Shown | null }>(one: T): T => ({
    ...one,
    study: { ...one.study!, undoSeconds: expect.any(Number) },
  });
  const [again, twice] = await Promise.all([rater.submit(good), rater.submit(good)]);
  expect(again).toEqual(same(done));
  expect(twice).toEqual(same(done));
  await bad({ answers: answersTo(screen, () => 3) }, 'CONFLICT', 'answerId');
  await bad({ answerId: 'two' }, 'CONFLICT', 'slotId');
  const undone = await rater.undo(second.tabId!, 'back');
  expect(undone.study).toMatchObject({ done: 0, canUndo: false, screen: { slotId: screen.slotId } });
  expect(await rater.undo(second.tabId!, 'back')).toEqual(undone);
  expect((await rater.undo(second.tabId!)).userErrors[0]).toMatchObject({ code: 'CONFLICT' });
  const last = await rateAll(rater);
  expect(last).toMatchObject({
    state: 'FINISHED',
    done: 9,
    total: 9,
    screen: null,
    completionCode: 'ABC 1',
    completionUrl: 'https://example.org/?cc=ABC%201',
  });
  const { pool } = lab.services.store;
  const events = await pool.query(
    `SELECT kind, answers, number FROM study_event AS event JOIN study_rater AS rater ON rater.id = rater_id
     WHERE event.study_id = $1 ORDER BY rater_id, number`,
    [keyOf(id)],
  );
  // Practice, its undo, practice again, 8 screens and 3 checks.
  expect(events.rows.map(({ kind }) => kind)).toEqual(['RATE', 'UNDO', ...new Array(12).fill('RATE')]);
  const ratings = await pool.query('SELECT count(*)::int AS n FROM study_rating WHERE study_id = $1', [
    keyOf(id),
  ]);
  expect(ratings.rows[0].n).toBe(8 * 2 * 3);
  await expect(pool.query('UPDATE study_event SET answers = ARRAY[1]::smallint[]')).rejects.toThrow(
    /append-only/,
  );
  await expect(pool.query('DELETE FROM study_event')).rejects.toThrow(/append-only/);
  expect((await rater.submit({ ...good, answerId: 'late' })).userErrors[0]).toMatchObject({
    code: 'CONFLICT',
    field: 'studyId',
  });
  await step('closeStudy', id);
  const slot = theirs.screen!;
  const late = await other.submit({
    tabId: theirs.tabId,
    slotId: slot.slotId,
    answerId: 'x',
    answers: answersTo(slot),
  });
  expect(late.userErrors[0]).toMatchObject({ code: 'CONFLICT', field: 'studyId' });
}, 120_000);

test('places: more raters than places, an abandoned one goes to another, failed checks pause for the lead to judge', async () => {
  const { id, raters, names } = await openStudy({ allowedFailures: 1, leaseMinutes: 60 }, 6);
  const everyone = raters as [Rater, Rater, Rater, Rater, Rater, Rater];
  for (const rater of everyone.slice(0, 4)) expect((await rater.start()).userErrors).toEqual([]);
  const full = (await everyone[4].start()).userErrors[0]!;
  expect(full).toMatchObject({ code: 'LIMIT_REACHED', field: 'studyId' });
  const { pool } = lab.services.store;
  const raterOf = async (name: string) => (await read(id)).raters.find((one) => one.name === name)!;
  const gone = keyOf((await raterOf(names[0]!)).id);
  await pool.query(`UPDATE study_rater SET last_seen_at = now() - interval '2 hours' WHERE id = $1`, [gone]);
  // Two ask for the one place at once.
  const [a, b] = await Promise.all([everyone[4].start(), everyone[5].start()]);
  expect([a, b].filter(({ study }) => study)).toHaveLength(1);
  expect((await everyone[0].start()).userErrors[0]).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringMatching(/given to another/),
  });

  // Who answers 3 to everything and ignores instructions fails two checks.
  const careless = everyone[1];
  let { study } = await careless.start();
  while (study?.screen) {
    const { screen } = study;
    const answers = screen.instruction
      ? [{ value: screen.instruction.includes('answer 3') ? 1 : 3 }]
      : answersTo(screen, () => 3);
    study = (
      await careless.submit({ tabId: study.tabId, slotId: screen.slotId, answerId: randomUUID(), answers })
    ).study;
  }
  expect(study).toMatchObject({
    state: 'PAUSED',
    pauseReason: expect.stringMatching(/attention checks failed: 2/),
  });
  expect((await careless.start()).userErrors[0]).toMatchObject({ code: 'CONFLICT' });
  const paused = await raterOf(names[1]!);
  expect(paused).toMatchObject({ state: 'PAUSED', failedChecks: 2 });
  const judge = (verdict: string, reason = 'looked at it') =>
    mutate<Payload>(lab, 'judgeStudyRater', { studyId: id, raterId: paused.id, verdict, reason }, STUDY);
  expect((await judge('CONTINUE', ' ')).userErrors[0]).toMatchObject({ code: 'BAD_INPUT', field: 'reason' });
  expect((await judge('EXCLUDE')).userErrors).toEqual([]);
  expect((await judge('CONTINUE')).userErrors).toEqual([]);
  expect(await raterOf(names[1]!)).toMatchObject({ state: 'ACTIVE', exclusionReason: 'looked at it' });
  expect((await rateAll(careless)).state).toBe('FINISHED');
}, 120_000);

test('a painting that is withdrawn while the study runs is shown and rated no more', async () => {
  const { id, raters } = await openStudy({
    // Every screen has pictures.
    catchTrials: { instructed: 0, duplicates: 1, grossFailures: 1 },
  });
  const [rater] = raters as [Rater];
  const { study } = await rater.start();
  const { pool } = lab.services.store;
  const slot = study!.screen!.slotId;
  const jobs = `SELECT painting.job_id FROM study_picture JOIN painting ON painting.id = painting_id WHERE slot_id = '${slot}'`;
  await pool.query(`UPDATE paint_job SET withdrawn_at = now() WHERE id IN (${jobs})`);
  const answer = { tabId: study!.tabId, slotId: slot, answerId: 'a', answers: answersTo(study!.screen!) };
  expect((await rater.submit(answer)).userErrors[0]).toMatchObject({
    code: 'CONFLICT',
    field: 'slotId',
    message: expect.stringMatching(/withdrawn/),
  });
  const picture = study!.screen!.pictures.find(({ role }) => role === 'CANDIDATE')!;
  expect((await fetch(`${lab.url}${picture.url}`, { headers: rater.headers })).status).toBe(404);
  const now = (await rater.start()).study!;
  expect(now.screen!.slotId).not.toBe(slot);
  expect(now.total).toBe(8);
  expect((await create()).userErrors).toEqual([]);
  // However many fall, what comes next can be looked at.
  for (let left = now; left.done + left.total > 3; left = (await rater.start()).study!) {
    expect(
      (await fetch(`${lab.url}${left.screen!.pictures[0]!.url}`, { headers: rater.headers })).status,
    ).toBe(200);
    await pool.query(
      `UPDATE paint_job SET withdrawn_at = now() WHERE id IN (
         SELECT painting.job_id FROM study_picture JOIN painting ON painting.id = painting_id WHERE slot_id = $1)`,
      [left.screen!.slotId],
    );
  }
  await pool.query('UPDATE paint_job SET withdrawn_at = NULL');
  await step('closeStudy', id);
}, 120_000);

test('nothing that a rater or the lab can read tells the arm of a picture before the study is unsealed', async () => {
  const { id, raters } = await openStudy();
  const [rater, other] = raters as [Rater, Rater];
  const { study } = await rater.start();
  const { pool } = lab.services.store;
  const rows = async (sql: string) => (await pool.query<{ id: string }>(sql)).rows.map((row) => row.id);
  const secret = [
    ...(await rows('SELECT id FROM painting')),
    ...(await rows('SELECT id FROM paint_job')),
    ...(await rows('SELECT id FROM benchmark_arm')),
    ...(await rows('SELECT id FROM benchmark_item')),
    ...(await rows('SELECT id FROM model')),
    ...(await rows('SELECT id FROM study_seat')),
    ...(await rows('SELECT png_sha256 AS id FROM painting')),
    'mindpainter',
    'two-stage',
  ];
  // Everything the rater can read, over a whole sequence, pictures' headers and bytes included.
  let texts = JSON.stringify(await lab.send(`{ myStudies { ${RATER_STUDY} } }`, {}, {}, rater.headers));
  let shown = study!;
  const files: Buffer[] = [];
  while (shown.screen) {
    texts += JSON.stringify(shown);
    for (const { url } of shown.screen.pictures) {
      const response = await fetch(`${lab.url}${url}`, { headers: rater.headers });
      expect(response.status).toBe(200);
      texts += JSON.stringify([...response.headers]);
      files.push(Buffer.from(await response.arrayBuffer()));
      // Nobody else gets it: neither another rater, nor the lab's admin, nor a stranger to this address.
      expect((await fetch(`${lab.url}${url}`, { headers: other.headers })).status).toBe(404);
      expect((await fetch(`${lab.url}${url}`)).status).toBe(404);
    }
    const { slotId } = shown.screen;
    const answers = answersTo(shown.screen);
    shown = (await rater.submit({ tabId: shown.tabId, slotId, answerId: randomUUID(), answers })).study!;
  }
  expect(secret.filter((text) => texts.includes(text))).toEqual([]);
  for (const file of files) {
    const names: string[] = [];
    for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at))
      names.push(file.toString('latin1', at + 4, at + 8));
    expect(names.filter((name) => !['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'].includes(name))).toEqual([]);
    expect((await sharp(file).metadata()).width).toBe(32);
  }
  // What the lab reads of the study: no picture, no screen, no seed.
  const hidden = [
    ...(await rows(`SELECT id FROM study_picture`)),
    ...(await rows(`SELECT id FROM study_seat`)),
  ];
  await mutate(lab, 'measureBenchmark', { id: benchmarkId }, 'benchmark { id }');
  const { data } = await lab.send(
    `query($id: ID!) { study(id: $id) { id name version previous { id } state layout
       benchmark { id metrics { state networks { name } arms { arm } itemValues } } protocol protocolSha256 algorithm
       seed balance pilot progress { screens } raters { id name state seatNumber groupNumber answered failedChecks medianResponseMs
       undone pauseReason exclusionReason lastSeenAt } chainRoot createdAt openedAt closedAt unsealedAt }
       auditEvents(first: 100) { nodes { action entityType entityId before after } } }`,
    { id },
  );
  const lead = JSON.stringify(data);
  expect(lead).toContain('seatNumber');
  expect(hidden.filter((text) => lead.includes(text))).toEqual([]);
  expect(data!.study).toMatchObject({
    seed: null,
    // Not measured yet it would be an empty list; of a sealed study's benchmark it is nothing at all.
    benchmark: { metrics: { state: 'QUEUED', itemValues: null } },
  });
}, 120_000);
