// Updates of what people write: to the version that was looked at, checked, audited; and what cannot be changed any more.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBenchmark, freezeBenchmark } from '../../src/services/benchmarks.js';
import { openStudy, pilotStudy } from '../../src/services/studies.js';
import { createStudy } from '../../src/services/study-creation.js';
import { type Lab, startLab } from '../support/lab.js';
import { benchmarkOrder, endJobs, type StudyParts, writeStudyParts } from '../support/study-lab.js';

let lab: Lab;
let parts: StudyParts;
beforeAll(async () => {
  lab = await startLab();
  parts = await writeStudyParts(lab.services, 2);
});
afterAll(async () => lab?.close());

interface Payload {
  readonly userErrors: object[];
  readonly row: Record<string, unknown> | null;
}
async function update(type: string, input: object, selection: string): Promise<Payload> {
  const key = `${type[0]!.toLowerCase()}${type.slice(1)}`;
  const query = `mutation($input: Update${type}Input!) { payload: update${type}(input: $input) {
    row: ${key} { ${selection} } userErrors { code field message currentVersion } } }`;
  const { data, errors } = await lab.send(query, { input });
  expect(errors).toBeUndefined();
  return data!.payload as Payload;
}

const benchmark = async () =>
  (await createBenchmark(lab.services, benchmarkOrder(parts), { submittedBy: 'test' })).id;
let frozen: string;
const study = async () => {
  if (!frozen) {
    frozen = await benchmark();
    await endJobs(lab.services, 0, frozen);
    await freezeBenchmark(lab.services, frozen);
  }
  return (await createStudy(lab.services, { name: 'study', benchmarkId: frozen, raters: 2 })).id;
};
const subject = async (label: string) =>
  (await lab.services.store.prisma.subject.create({ data: { label } })).id;

const long = 'x'.repeat(5001);
interface Case {
  readonly type: string;
  readonly id: () => Promise<string>;
  readonly changes: Readonly<Record<string, string>>;
  readonly bad: readonly Readonly<Record<string, string>>[];
  readonly version?: string;
}
const CASES: readonly Case[] = [
  {
    type: 'Subject',
    id: () => subject('typo'),
    changes: { label: '77', notes: 'left-handed\nglasses' },
    bad: [{ label: 'not a label' }, { label: '' }, { notes: long }],
  },
  {
    type: 'FmriSession',
    id: async () => (await lab.services.store.prisma.fmriSession.findFirstOrThrow()).id,
    changes: { label: '02', notes: 'moved in run 3' },
    bad: [{ label: '../02' }, { notes: long }],
  },
  {
    type: 'SourceImage',
    id: async () => parts.imageIds[0]!,
    changes: { name: 'beach', notes: 'by the author' },
    bad: [{ name: 'x'.repeat(201) }, { notes: long }],
  },
  {
    type: 'Model',
    id: async () => parts.modelId,
    changes: { name: 'second', notes: 'more steps' },
    bad: [{ name: '' }, { name: ' ' }, { name: 'x'.repeat(201) }, { notes: long }],
  },
  {
    type: 'Benchmark',
    id: benchmark,
    changes: { name: 'faces' },
    bad: [{ name: '' }, { name: 'x'.repeat(101) }],
  },
  {
    type: 'Study',
    id: study,
    changes: { name: 'faces' },
    bad: [{ name: '' }, { name: 'x'.repeat(101) }],
    version: 'revision',
  },
];

test.each(CASES.map((one) => [one.type, one] as const))('%s', async (type, one) => {
  const id = `${type}_${await one.id()}`;
  const counter = `version: ${one.version ?? 'version'}`;
  const names = Object.keys(one.changes).join(' ');
  const census = await lab.census();
  for (const change of one.bad) {
    const { userErrors } = await update(type, { id, expectedVersion: 1, ...change }, 'id');
    expect([change, userErrors]).toMatchObject([
      change,
      [{ code: 'BAD_INPUT', field: Object.keys(change)[0] }],
    ]);
  }
  const unknown = await update(type, { id: `${type}_${crypto.randomUUID()}`, expectedVersion: 1 }, 'id');
  expect(unknown.userErrors).toMatchObject([{ code: 'NOT_FOUND', field: 'id' }]);
  const other = await update(type, { id: `User_${crypto.randomUUID()}`, expectedVersion: 1 }, 'id');
  expect(other.userErrors).toMatchObject([{ code: 'NOT_FOUND', field: 'id' }]);
  expect(await lab.census()).toEqual(census);

  // Of several who decide by the same version, one is faster; the others are told the version of now.
  const input = { id, expectedVersion: 1, ...one.changes };
  const all = await Promise.all([1, 2, 3].map(() => update(type, input, `${names} ${counter}`)));
  const [done, ...more] = all.filter(({ userErrors }) => userErrors.length === 0);
  expect([done?.row, more]).toEqual([{ ...one.changes, version: 2 }, []]);
  for (const { userErrors } of all.filter((each) => each !== done))
    expect(userErrors).toMatchObject([{ code: 'CONFLICT', field: 'expectedVersion', currentVersion: 2 }]);
  // What is absent or null stays.
  const [field] = Object.keys(one.changes);
  const same = await update(type, { id, expectedVersion: 2, [field!]: null }, `${names} ${counter}`);
  expect(same).toEqual({ row: { ...one.changes, version: 3 }, userErrors: [] });

  const query = `{ auditEvents(last: 1, entityId: "${id}", action: "update${type}") { nodes { entityType before after } } }`;
  const { data } = await lab.send(query);
  const counted = one.version ?? 'version';
  expect((data!.auditEvents as { nodes: object[] }).nodes).toMatchObject([
    { entityType: type, before: { [counted]: 1 }, after: { ...one.changes, [counted]: 2 } },
  ]);
});

test('a label that is taken, or that models know a subject by, stays', async () => {
  const [one, other] = [await subject('31'), await subject('32')];
  const taken = await update('Subject', { id: `Subject_${one}`, expectedVersion: 1, label: 'sub-32' }, 'id');
  expect(taken.userErrors).toMatchObject([{ code: 'CONFLICT', field: 'label' }]);
  const { prisma } = lab.services.store;
  const { id: _, ...model } = await prisma.model.findFirstOrThrow();
  await prisma.model.create({ data: { ...model, hash: 'of 32', subjectLabel: '32' } });
  const known = await update('Subject', { id: `Subject_${other}`, expectedVersion: 1, label: '33' }, 'id');
  expect(known.userErrors).toMatchObject([{ code: 'CONFLICT', field: 'label' }]);
  const same = await update(
    'Subject',
    { id: `Subject_${other}`, expectedVersion: 1, label: 'subj32', notes: 'x' },
    'notes',
  );
  expect(same).toEqual({ row: { notes: 'x' }, userErrors: [] });

  const session = { normalisation: '', uploadSha256: 'z', betasSha256: 'z', constantVoxels: 0, label: '01' };
  await prisma.fmriSession.create({ data: { ...session, subjectId: one, voxels: 9 } });
  await prisma.model.create({ data: { ...model, hash: 'of 34', subjectLabel: '34' } });
  const unfit = await update('Subject', { id: `Subject_${one}`, expectedVersion: 1, label: '34' }, 'id');
  expect(unfit.userErrors).toMatchObject([{ code: 'CONFLICT', field: 'label' }]);
});

test('a session keeps off the labels of its subject', async () => {
  const { prisma } = lab.services.store;
  const session = { normalisation: '', uploadSha256: 'w', betasSha256: 'w', constantVoxels: 0, voxels: 4 };
  const row = await prisma.fmriSession.create({
    data: { ...session, subjectId: parts.subjectId, label: '09' },
  });
  const input = { id: `FmriSession_${row.id}`, expectedVersion: 1, label: '02' };
  expect((await update('FmriSession', input, 'id')).userErrors).toMatchObject([
    { code: 'CONFLICT', field: 'label' },
  ]);
});

test('a frozen benchmark and a study that was opened keep their names', async () => {
  const id = await study();
  await pilotStudy(lab.services, id, { seed: 1, difference: 0.5, studies: 1 });
  await openStudy(lab.services, id);
  const named = { name: 'another', expectedVersion: 1 };
  expect((await update('Study', { id: `Study_${id}`, ...named }, 'id')).userErrors).toMatchObject([
    { code: 'CONFLICT', field: 'id' },
  ]);
  expect((await update('Benchmark', { id: `Benchmark_${frozen}`, ...named }, 'id')).userErrors).toMatchObject(
    [{ code: 'CONFLICT', field: 'id' }],
  );
});
