// Deleting with a reason, and restoring: who still sees what was deleted, what it is refused for, and what stays.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { sweepLeftovers } from '../../src/jobs/housekeeping.js';
import { createBenchmark, freezeBenchmark } from '../../src/services/benchmarks.js';
import { cancelPaintJobs } from '../../src/services/paint-job-cancel.js';
import { openStudy, pilotStudy } from '../../src/services/studies.js';
import { createStudy } from '../../src/services/study-creation.js';
import { type Lab, startLab } from '../support/lab.js';
import { addPerson, type Person } from '../support/people.js';
import { benchmarkOrder, endJobs, type StudyParts, writeStudyParts } from '../support/study-lab.js';

let lab: Lab;
let admin: Person;
let researcher: Person;
let parts: StudyParts;
beforeAll(async () => {
  lab = await startLab({ remote: true });
  [admin, researcher] = [await addPerson(lab, 'ADMIN'), await addPerson(lab, 'RESEARCHER')];
  parts = await writeStudyParts(lab.services, 4);
});
afterAll(async () => lab?.close());

interface Payload {
  readonly userErrors: {
    code: string;
    field: string | null;
    message: string;
    currentVersion: number | null;
  }[];
  readonly [key: string]: unknown;
}
const ERRORS = 'userErrors { code field message currentVersion }';
async function act(who: Person, name: string, input: object, selection = '', files = {}): Promise<Payload> {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input!`;
  const query = `mutation($input: ${type}) { ${name}(input: $input) { ${selection} ${ERRORS} } }`;
  const { data, errors } = await lab.send(query, { input }, files, who.headers);
  expect(errors).toBeUndefined();
  return data![name] as Payload;
}
const read = async (who: Person, query: string, variables = {}) => {
  const { data, errors } = await lab.send(query, variables, {}, who.headers);
  expect([query, errors]).toEqual([query, undefined]);
  return data!;
};
const versionOf = async (id: string) => {
  const counters = ['Subject', 'FmriSession', 'SourceImage', 'Mask', 'Model', 'Benchmark'].map(
    (type) => `... on ${type} { version }`,
  );
  const query = `query($id: ID!) { node(id: $id) { ${counters.join(' ')} ... on Study { version: revision } } }`;
  return ((await read(admin, query, { id })).node as { version: number }).version;
};
const remove = async (id: string, who = researcher, reason = 'taken twice') =>
  act(who, 'delete', { id, reason, expectedVersion: await versionOf(id) });
const restore = async (id: string, who = researcher) =>
  act(who, 'restore', { id, expectedVersion: await versionOf(id) });

/** A mask of a picture, its height a fraction that nothing else has. */
let masks = 0;
async function addMask(imageId: string): Promise<string> {
  masks += 1;
  const box = { shape: 'RECTANGLE', left: 0, top: 0, width: 0.5, height: masks / 32 };
  const { mask } = await act(admin, 'createMask', { imageId, ...box }, 'mask { id }');
  return (mask as { id: string }).id;
}
async function addDraft(images: readonly string[] = parts.imageIds): Promise<string> {
  const trials = parts.trialIds.slice(0, images.length).map((id) => [id]);
  const order = benchmarkOrder(parts, { imageIds: images, signals: trials });
  const { id } = await createBenchmark(lab.services, order, { submittedBy: 'test' });
  return id;
}
let frozen: string | undefined;
/** A frozen benchmark of the first two pictures. */
async function frozenBenchmark(): Promise<string> {
  if (frozen) return frozen;
  frozen = await addDraft(parts.imageIds.slice(0, 2));
  await endJobs(lab.services, 0, frozen);
  await freezeBenchmark(lab.services, frozen);
  return frozen;
}
const addStudy = async (more = {}) =>
  (
    await createStudy(lab.services, {
      name: 'study',
      benchmarkId: await frozenBenchmark(),
      raters: 2,
      ...more,
    })
  ).id;

/** Something of each type that nothing uses, and the list that shows it. */
const NOUNS: Readonly<Record<string, readonly [() => Promise<string>, string | undefined]>> = {
  Subject: [
    async () => {
      const { subject } = await act(
        admin,
        'createSubject',
        { label: `x${Date.now() % 1e6}` },
        'subject { id }',
      );
      return (subject as { id: string }).id;
    },
    'subjects',
  ],
  FmriSession: [
    async () => {
      const session = { subjectId: parts.subjectId, label: '99', voxels: 4, constantVoxels: 0 };
      const row = { ...session, normalisation: '', uploadSha256: 'y', betasSha256: 'y' };
      return `FmriSession_${(await lab.services.store.prisma.fmriSession.create({ data: row })).id}`;
    },
    undefined,
  ],
  SourceImage: [async () => `SourceImage_${parts.imageIds[3]}`, 'sourceImages'],
  Mask: [async () => addMask(`SourceImage_${parts.imageIds[3]}`), undefined],
  Model: [
    async () => {
      const { id: _, ...model } = await lab.services.store.prisma.model.findFirstOrThrow();
      const row = await lab.services.store.prisma.model.create({ data: { ...model, hash: 'other' } });
      return `Model_${row.id}`;
    },
    'models',
  ],
  Benchmark: [
    async () => {
      const id = await addDraft();
      await endJobs(lab.services, 0, id);
      return `Benchmark_${id}`;
    },
    'benchmarks',
  ],
  Study: [async () => `Study_${await addStudy()}`, 'studies'],
};

const NODE = `query($id: ID!) { node(id: $id) { id
  ... on Deletable { deletedAt deletedReason deletedBy { id } } } }`;

test.each(Object.entries(NOUNS))('a %s', async (type, [add, list]) => {
  const id = await add();
  const find = async (who: Person) => (await read(who, NODE, { id })).node as Record<string, unknown> | null;
  const owner = type === 'Mask' ? `SourceImage_${parts.imageIds[3]}` : `Subject_${parts.subjectId}`;
  const listed = async (who: Person, deleted: boolean) => {
    const args = `(first: 100, deleted: ${deleted})`;
    const query = list
      ? `{ list: ${list}${args} { totalCount nodes { id } } }`
      : `{ owner: node(id: "${owner}") { ... on Subject { list: fmriSessions${args} { totalCount nodes { id } } }
          ... on SourceImage { list: masks${args} { totalCount nodes { id } } } } }`;
    const data = await read(who, query);
    const page = (list ? data.list : (data.owner as { list: unknown }).list) as {
      totalCount: number;
      nodes: { id: string }[];
    };
    expect(page.totalCount).toBe(page.nodes.length);
    return page.nodes.some((node) => node.id === id);
  };
  const version = await versionOf(id);
  expect(await find(researcher)).toMatchObject({ id, deletedAt: null, deletedReason: null, deletedBy: null });
  expect([await listed(researcher, false), await listed(admin, true)]).toEqual([true, false]);

  const stale = await act(researcher, 'delete', { id, reason: 'why', expectedVersion: version + 1 });
  expect(stale.userErrors).toMatchObject([
    { code: 'CONFLICT', field: 'expectedVersion', currentVersion: version },
  ]);
  for (const reason of ['', '  ', 'x'.repeat(501)]) {
    const { userErrors } = await act(researcher, 'delete', { id, reason, expectedVersion: version });
    expect(userErrors).toMatchObject([{ code: 'BAD_INPUT', field: 'reason' }]);
  }
  const early = await act(researcher, 'restore', { id, expectedVersion: version });
  expect(early.userErrors).toMatchObject([{ code: 'CONFLICT', field: 'id' }]);

  const selection = 'deleted { id deletedAt deletedReason deletedBy { id } }';
  const input = { id, reason: ' taken twice ', expectedVersion: version };
  const { deleted, userErrors } = await act(researcher, 'delete', input, selection);
  expect(userErrors).toEqual([]);
  const facts = { id, deletedReason: 'taken twice', deletedBy: { id: `User_${researcher.userId}` } };
  expect(deleted).toMatchObject({ ...facts, deletedAt: expect.any(String) });
  expect(await find(researcher)).toBeNull();
  expect(await find(admin)).toMatchObject(facts);
  expect([await listed(researcher, false), await listed(researcher, true)]).toEqual([false, false]);
  expect([await listed(admin, false), await listed(admin, true)]).toEqual([false, true]);
  // What is deleted is not changed, nor deleted again.
  const again = await act(researcher, 'delete', { id, reason: 'why', expectedVersion: version + 1 });
  expect(again.userErrors).toMatchObject([{ code: 'NOT_FOUND', field: 'id' }]);
  if (type !== 'Mask') {
    const update = await act(admin, `update${type}`, { id, expectedVersion: version + 1 });
    expect(update.userErrors).toMatchObject([{ code: 'NOT_FOUND', field: 'id' }]);
  }

  const events = `{ auditEvents(first: 1, entityId: "${id}", action: "delete") { nodes { entityType before after } } }`;
  const [event] = ((await read(admin, events)).auditEvents as { nodes: Record<string, unknown>[] }).nodes;
  expect(event).toMatchObject({
    entityType: type,
    before: { deletedReason: null },
    after: { deletedReason: 'taken twice', deletedById: researcher.userId },
  });
  expect(JSON.stringify(event)).not.toContain('seed');

  expect((await act(researcher, 'restore', { id, expectedVersion: version + 1 })).userErrors).toEqual([]);
  expect(await find(researcher)).toMatchObject({ id, deletedAt: null, deletedReason: null, deletedBy: null });
  expect(await listed(researcher, false)).toBe(true);
  expect(await versionOf(id)).toBe(version + 2);
});

test('only what can be deleted is', async () => {
  for (const id of [`User_${admin.userId}`, `Trial_${parts.trialIds[0]}`, 'Subject_', 'x', '']) {
    const { userErrors } = await act(admin, 'delete', { id, reason: 'why', expectedVersion: 1 });
    expect(userErrors).toMatchObject([{ code: 'NOT_FOUND', field: 'id' }]);
  }
});

test('what belongs to something that was deleted is gone with it, and comes back with it', async () => {
  const image = `SourceImage_${parts.imageIds[3]}`;
  const mask = await addMask(image);
  const subject = `Subject_${parts.subjectId}`;
  const session = await lab.services.store.prisma.fmriSession.findFirstOrThrow({
    where: { trials: { some: {} } },
  });
  const below = [`FmriSession_${session.id}`, `Trial_${parts.trialIds[0]}`];
  const found = async (id: string) => (await read(researcher, NODE, { id })).node !== null;
  expect((await remove(image)).userErrors).toEqual([]);
  expect(await found(mask)).toBe(false);
  expect((await read(admin, NODE, { id: mask })).node).not.toBeNull();
  expect((await restore(image)).userErrors).toEqual([]);
  expect(await found(mask)).toBe(true);
  const other = await NOUNS.Subject![0]();
  expect((await remove(other)).userErrors).toEqual([]);
  for (const id of below) expect(await found(id)).toBe(true);
  // Past the checks, since a frozen benchmark may rest on this one by now.
  const { subject: rows } = lab.services.store.prisma;
  const where = { id: subject.slice('Subject_'.length) };
  await rows.update({ where, data: { deletedAt: new Date(), deletedReason: 'x' } });
  for (const id of below) expect(await found(id)).toBe(false);
  await rows.update({ where, data: { deletedAt: null, deletedReason: null } });
});

const SUBMIT = 'paintJob { id sourceImage { id deletedAt } mask { id } }';

test('new work is refused it, by the field that names it', async () => {
  const image = `SourceImage_${parts.imageIds[3]}`;
  const mask = await addMask(image);
  const [model] = await lab.services.store.prisma.model.findMany({ where: { id: parts.modelId } });
  const job = {
    imageId: image,
    maskId: mask,
    modelId: `Model_${model!.id}`,
    trialIds: [`Trial_${parts.trialIds[3]}`],
  };
  const refused = async (name: string, input: object, field: string, code = 'NOT_FOUND') => {
    const census = await lab.census();
    const { userErrors } = await act(researcher, name, input);
    expect([name, userErrors]).toMatchObject([name, [{ code, field }]]);
    expect(await lab.census()).toEqual(census);
  };
  expect((await remove(mask)).userErrors).toEqual([]);
  await refused('submitPaintJob', job, 'maskId');
  await refused('submitPaintJobs', { common: job, axes: [] }, 'maskId');
  const box = { shape: 'RECTANGLE', left: 0, top: 0, width: 0.5, height: masks / 32 };
  await refused('createMask', { imageId: image, ...box }, 'imageId', 'CONFLICT');
  await restore(mask);

  // Its id comes from an order that was cancelled, and that cannot be tried again.
  const { paintJob } = await act(researcher, 'submitPaintJob', job, SUBMIT);
  const jobId = (paintJob as { id: string }).id;
  await cancelPaintJobs(lab.services, { ids: [jobId.slice('PaintJob_'.length)] });
  expect((await remove(image)).userErrors).toEqual([]);
  await refused('retryPaintJobs', { ids: [jobId] }, 'ids');
  await refused('submitPaintJob', job, 'imageId');
  await refused('createMask', { imageId: image, ...box }, 'imageId');
  await refused('linkStimuli', { stimuli: [{ name: 'new', imageId: image }] }, 'stimuli');
  await refused(
    'createBenchmark',
    {
      name: 'b',
      imageIds: [image],
      signals: [job.trialIds],
      maskIds: [mask],
      arms: [{ name: 'a', method: 'BRAIN', modelId: job.modelId }],
    },
    'imageId',
  );
  const { pngSha256 } = await lab.services.store.prisma.sourceImage.findUniqueOrThrow({
    where: { id: parts.imageIds[3]! },
  });
  const file = { name: 'again.png', bytes: await lab.services.blobs.get(pngSha256) };
  const upload = await act(researcher, 'uploadSourceImage', { file: null }, '', { 'input.file': file });
  expect(upload.userErrors).toMatchObject([{ code: 'CONFLICT', field: 'file' }]);
  expect(upload.userErrors[0]!.message).toContain(image);
  // The order of before shows what it was given, and the file is served.
  const { node } = await read(
    researcher,
    `query($id: ID!) { node(id: $id) { ... on PaintJob { sourceImage { id deletedAt } mask { id } } } }`,
    { id: jobId },
  );
  expect(node).toMatchObject({
    sourceImage: { id: image, deletedAt: expect.any(String) },
    mask: { id: mask },
  });
  const url = `${lab.url}/files/source-images/${parts.imageIds[3]}.png`;
  expect((await fetch(url, { headers: researcher.headers })).status).toBe(200);
  await sweepLeftovers(lab.services, lab.folder, -1000);
  expect((await fetch(url, { headers: researcher.headers })).status).toBe(200);
  await restore(image);

  const subject = await NOUNS.Subject![0]();
  const { label } = await lab.services.store.prisma.subject.findUniqueOrThrow({
    where: { id: subject.slice('Subject_'.length) },
  });
  expect((await remove(subject)).userErrors).toEqual([]);
  await refused('createSubject', { label }, 'label', 'CONFLICT');
  const query = `{ subjectByLabel(label: "${label}") { id } }`;
  expect((await read(researcher, query)).subjectByLabel).toBeNull();
  expect((await read(admin, query)).subjectByLabel).toEqual({ id: subject });
});

test('what is in use is refused, and the answer says by what', async () => {
  const image = `SourceImage_${parts.imageIds[3]}`;
  const mask = await addMask(image);
  const job = {
    imageId: image,
    maskId: mask,
    modelId: `Model_${parts.modelId}`,
    trialIds: [`Trial_${parts.trialIds[3]}`],
  };
  const { paintJob } = await act(researcher, 'submitPaintJob', job, SUBMIT);
  const jobId = (paintJob as { id: string }).id;
  const used = async (id: string, ...by: string[]) => {
    const { userErrors } = await remove(id);
    expect([id, userErrors]).toMatchObject([id, [{ code: 'CONFLICT', field: 'id' }]]);
    for (const one of by) expect(userErrors[0]!.message).toContain(one);
  };
  const { sessionId } = await lab.services.store.prisma.trial.findUniqueOrThrow({
    where: { id: parts.trialIds[3]! },
  });
  const session = `FmriSession_${sessionId}`;
  const all = [image, mask, `Model_${parts.modelId}`, session, `Subject_${parts.subjectId}`];
  for (const id of [image, mask]) await used(id, jobId);
  await cancelPaintJobs(lab.services, { ids: [jobId.slice('PaintJob_'.length)] });
  const draft = await addDraft([parts.imageIds[3]!]);
  await used(`Benchmark_${draft}`, 'PaintJob_', 'QUEUED');
  await endJobs(lab.services, 0, draft);

  const benchmark = await frozenBenchmark();
  await used(`Benchmark_${benchmark}`, 'frozen');
  for (const id of [`SourceImage_${parts.imageIds[0]}`, ...all.slice(2)])
    await used(id, `Benchmark_${benchmark}`);
  const study = await addStudy();
  await pilotStudy(lab.services, study, { seed: 1, difference: 0.5, studies: 1 });
  await openStudy(lab.services, study);
  await used(`Study_${study}`, 'OPEN');
  await used(`SourceImage_${parts.imageIds[0]}`, `Study_${study}`, `Benchmark_${benchmark}`);

  const { prisma } = lab.services.store;
  const run = await prisma.trainingRun.create({
    data: {
      name: 'run',
      subjectId: parts.subjectId,
      baseModelId: parts.modelId,
      parts: ['DIFFUSION'],
      settings: {},
      stimuli: { create: { name: 's3', imageId: parts.imageIds[3]!, heldOut: false } },
      sessions: { create: { sessionId } },
    },
  });
  await used(image, `TrainingRun_${run.id}`);
  // One that failed does not hold it, and does not go on without it.
  const end = (state: 'FAILED' | 'CANCELLED') =>
    prisma.trainingRun.update({ where: { id: run.id }, data: { state, finishedAt: new Date() } });
  await end('FAILED');
  expect((await remove(image)).userErrors).toEqual([]);
  const resumed = await act(researcher, 'resumeTrainingRun', { id: `TrainingRun_${run.id}` });
  expect(resumed.userErrors).toMatchObject([{ code: 'CONFLICT', field: 'id' }]);
  expect(resumed.userErrors[0]!.message).toContain(image);
  await expect(freezeBenchmark(lab.services, draft)).rejects.toThrow(image);
  await restore(image);
  expect((await act(researcher, 'resumeTrainingRun', { id: `TrainingRun_${run.id}` })).userErrors).toEqual(
    [],
  );
  await end('CANCELLED');
  expect((await freezeBenchmark(lab.services, draft)).frozenAt).not.toBeNull();
});

test('a study that was deleted is not piloted, opened or followed by a version', async () => {
  const before = await addStudy();
  const next = await addStudy({ previousId: before });
  expect((await remove(`Study_${next}`)).userErrors).toEqual([]);
  const id = { id: `Study_${next}` };
  for (const name of ['pilotStudy', 'openStudy'])
    expect((await act(researcher, name, id)).userErrors).toMatchObject([{ code: 'NOT_FOUND', field: 'id' }]);
  const invite = await act(researcher, 'inviteStudyRaters', { studyId: id.id, count: 1 });
  expect(invite.userErrors).toMatchObject([{ code: 'NOT_FOUND', field: 'studyId' }]);
  await expect(addStudy({ previousId: next })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(addStudy({ previousId: before })).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('a job and a deletion at once: one of them is refused', async () => {
  const image = `SourceImage_${parts.imageIds[2]}`;
  const model = `Model_${parts.modelId}`;
  for (let i = 0; i < 8; i++) {
    const mask = await addMask(image);
    const version = await versionOf(mask);
    const job = { imageId: image, maskId: mask, modelId: model, trialIds: [`Trial_${parts.trialIds[2]}`] };
    const [submitted, deleted] = await Promise.all([
      act(researcher, 'submitPaintJob', job),
      act(researcher, 'delete', { id: mask, reason: 'why', expectedVersion: version }),
    ]);
    const refusals = [submitted, deleted].filter(({ userErrors }) => userErrors.length > 0);
    expect(refusals.map(({ userErrors }) => userErrors[0]!.code)).toEqual([
      submitted.userErrors.length > 0 ? 'NOT_FOUND' : 'CONFLICT',
    ]);
  }
});

test('a run shows its base while that is deleted, and none when its subject has withdrawn', async () => {
  const { prisma } = lab.services.store;
  const { id: _, ...model } = await prisma.model.findFirstOrThrow();
  const base = await prisma.model.create({ data: { ...model, hash: 'base', subjectLabel: 'other' } });
  const run = { name: 'run', subjectId: parts.subjectId, parts: ['DIFFUSION' as const], settings: {} };
  const ended = { state: 'CANCELLED' as const, finishedAt: new Date() };
  const { id } = await prisma.trainingRun.create({ data: { ...run, ...ended, baseModelId: base.id } });
  const query = 'query($id: ID!) { trainingRun(id: $id) { baseModel { id deletedReason } } }';
  const shown = async () => (await read(researcher, query, { id: `TrainingRun_${id}` })).trainingRun;
  expect((await remove(`Model_${base.id}`)).userErrors).toEqual([]);
  expect(await shown()).toEqual({ baseModel: { id: `Model_${base.id}`, deletedReason: 'taken twice' } });
  await prisma.model.update({ where: { id: base.id }, data: { withdrawnAt: new Date() } });
  expect(await shown()).toEqual({ baseModel: null });
});

test('whether a subject with many trials is in use is found out at once beside a large benchmark', async () => {
  const { pool } = lab.services.store;
  const { rows } = await pool.query<{ id: string }>(
    `INSERT INTO subject (id, label) VALUES (uuidv7(), 'many') RETURNING id`,
  );
  await pool.query(
    `INSERT INTO fmri_session (id, subject_id, label, voxels, constant_voxels, normalisation, upload_sha256, betas_sha256)
     VALUES (uuidv7(), $1::uuid, '01', 4, 0, '', '', '')`,
    [rows[0]!.id],
  );
  await pool.query(
    `INSERT INTO trial (id, session_id, index, stimulus, repetition)
     SELECT uuidv7(), session.id, n, 's', n + 1 FROM fmri_session AS session, generate_series(0, 19999) AS n
     WHERE session.subject_id = $1::uuid`,
    [rows[0]!.id],
  );
  const large = await addDraft();
  await endJobs(lab.services, 0, large);
  await pool.query(
    `INSERT INTO benchmark_item (id, benchmark_id, position, image_id, mask_id, trial_ids)
     SELECT uuidv7(), benchmark_id, n, image_id, mask_id, ARRAY[uuidv7(), uuidv7(), uuidv7()]
     FROM benchmark_item, generate_series(100, 10099) AS n WHERE benchmark_id = $1::uuid AND position = 0`,
    [large],
  );
  await freezeBenchmark(lab.services, large);
  await pool.query('ANALYZE');
  const start = performance.now();
  expect((await remove(`Subject_${rows[0]!.id}`)).userErrors).toEqual([]);
  // Each trial of the subject compared with each of the benchmark takes seconds, and a minute with a laboratory of jobs.
  expect(performance.now() - start).toBeLessThan(2000);
}, 60_000);
