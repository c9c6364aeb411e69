// The categories of stimuli through the API: told by trial tables and links, read on stimuli and trials, changed on the record.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { sessionFiles, startTrainingLab, type TrainingLab, type UserError } from '../support/training-lab.js';

let lab: TrainingLab;

beforeAll(async () => {
  lab = await startTrainingLab();
}, 90_000);

afterAll(() => lab?.close(), 30_000);

async function importTable(label: string, stimuli: string[], labels: string[]): Promise<UserError[]> {
  const input = { subjectId: lab.subjectId, label, betas: null, trials: null };
  const files = sessionFiles(stimuli, { repetitions: 1, labels });
  const payload = await lab.mutate(
    'importFmriSession',
    'ImportFmriSessionInput',
    'fmriSession { id }',
    input,
    files,
  );
  return payload.userErrors as UserError[];
}

async function link(stimuli: object[], replace = false): Promise<UserError[]> {
  const input = { stimuli, replace };
  return (await lab.mutate('linkStimuli', 'LinkStimuliInput', 'stimuli { name label }', input))
    .userErrors as UserError[];
}

async function labels() {
  const { data } = await lab.lab.send(
    `{ stimuli(first: 50) { nodes { name label } }
       subjectByLabel(label: "07") { fmriSessions(first: 9) { nodes { label trials(first: 9) { nodes { stimulus label } } } } } }`,
  );
  const { stimuli, subjectByLabel } = data as {
    stimuli: { nodes: { name: string; label: string | null }[] };
    subjectByLabel: {
      fmriSessions: {
        nodes: { label: string; trials: { nodes: { stimulus: string; label: string | null }[] } }[];
      };
    };
  };
  return {
    stimuli: Object.fromEntries(stimuli.nodes.map(({ name, label }) => [name, label])),
    trials: Object.fromEntries(
      subjectByLabel.fmriSessions.nodes.flatMap(({ trials }) =>
        trials.nodes.map(({ stimulus, label }) => [stimulus, label]),
      ),
    ),
    sessions: subjectByLabel.fmriSessions.nodes.map((session) => session.label),
  };
}

const changes = () =>
  lab.lab.services.store.prisma.auditEvent.findMany({
    where: { action: 'linkStimuli', before: { path: ['label'], not: '?' } },
    select: { before: true, after: true },
    orderBy: { id: 'asc' },
  });

test('a table tells labels before its stimuli have pictures; a link keeps, adds and, if told so, replaces them', async () => {
  expect(await importTable('01', ['apple', 'pear', 'fox'], ['fruit', 'fruit', ''])).toEqual([]);
  expect(await labels()).toMatchObject({ stimuli: {}, trials: { apple: 'fruit', pear: 'fruit', fox: null } });
  const imported = { action: 'importFmriSession' };
  const { after } = await lab.lab.services.store.prisma.auditEvent.findFirstOrThrow({ where: imported });
  expect(after).toMatchObject({ label: '01', newLabels: { apple: 'fruit', pear: 'fruit' } });
  const images = [await lab.uploadPicture(1), await lab.uploadPicture(2)];
  expect(await link([{ name: 'apple', imageId: images[0] }])).toEqual([]);
  expect(await link([{ name: 'fox', imageId: images[1], label: ' animal ' }])).toEqual([]);
  expect((await labels()).stimuli).toEqual({ apple: 'fruit', fox: 'animal' });
  const told = [{ before: { label: null }, after: { label: 'animal' } }];
  expect(await changes()).toEqual(told);

  const red = [{ name: 'apple', imageId: images[0], label: 'red thing' }];
  expect(await link(red)).toEqual([
    {
      code: 'CONFLICT',
      field: 'stimuli',
      message: "labelled otherwise already: apple is 'fruit'; linkStimuli with replace changes that",
    },
  ]);
  expect((await labels()).stimuli).toEqual({ apple: 'fruit', fox: 'animal' });
  expect(await link(red, true)).toEqual([]);
  expect(await link(red)).toEqual([]);
  expect(await labels()).toMatchObject({
    stimuli: { apple: 'red thing', fox: 'animal' },
    trials: { apple: 'red thing', pear: 'fruit', fox: 'animal' },
  });
  expect(await changes()).toEqual([...told, { before: { label: 'fruit' }, after: { label: 'red thing' } }]);
}, 60_000);

test('labels that contradict each other or are none are refused, and nothing is stored', async () => {
  const before = await labels();
  expect(await importTable('02', ['pear', 'plum'], ['vegetable', 'fruit'])).toMatchObject([
    { code: 'CONFLICT', field: 'trials', message: expect.stringContaining("pear is 'fruit'") },
  ]);
  expect(await importTable('02', ['plum', 'fig', 'plum'], ['fruit', 'fruit', 'dog'])).toMatchObject([
    { code: 'BAD_INPUT', field: 'trials', message: expect.stringContaining("plum is 'dog' here") },
  ]);
  expect(await importTable('02', ['plum'], ['x'.repeat(101)])).toMatchObject([
    { code: 'BAD_INPUT', field: 'trials', message: expect.stringContaining('1 to 100 characters') },
  ]);
  const imageId = await lab.uploadPicture(3);
  for (const label of ['', '  ', 'x'.repeat(101)])
    expect(await link([{ name: 'plum', imageId, label }])).toMatchObject([
      { code: 'BAD_INPUT', field: 'stimuli', message: expect.stringContaining('plum: a label has 1 to 100') },
    ]);
  expect(await labels()).toEqual(before);
}, 60_000);

test('one picture under two names with two labels cannot be trained on', async () => {
  const imageId = await lab.uploadPicture(4);
  const names = ['east', 'west', 'north', 'south'];
  const sessionIds = [await lab.importSession('03', names)];
  const rest = [await lab.uploadPicture(5), await lab.uploadPicture(6)];
  expect(
    await link([
      { name: 'east', imageId, label: 'a' },
      { name: 'west', imageId, label: 'b' },
      ...rest.map((id, i) => ({ name: names[2 + i], imageId: id })),
    ]),
  ).toEqual([]);
  expect((await lab.create({ sessionIds })).errors).toEqual([
    {
      code: 'BAD_INPUT',
      field: 'sessionIds',
      message: "east and west are one picture, labelled 'a' and 'b'; change one with linkStimuli",
    },
  ]);
}, 60_000);
