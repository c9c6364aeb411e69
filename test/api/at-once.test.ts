// The same thing asked for several times at once: one row, one answer for all, and CONFLICT for other data under its name.

import { join, relative } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeNpy } from '../../src/fmri/npy.js';
import { createBenchmark, freezeBenchmark } from '../../src/services/benchmarks.js';
import { createPresetMask, uploadImage } from '../../src/services/images.js';
import { type BundleFacts, registerModel, registerModelFolder } from '../../src/services/models.js';
import { submitPaintJob } from '../../src/services/paint-job-submission.js';
import { ratePainting } from '../../src/services/ratings.js';
import { createSubject } from '../../src/services/subjects.js';
import { resumeTrainingRun } from '../../src/services/training-runs.js';
import { reportWithdrawal, withdrawSubject } from '../../src/services/withdrawals.js';
import { type Lab, startLab } from '../support/lab.js';
import { benchmarkOrder, endJobs, type StudyParts, writeStudyParts } from '../support/study-lab.js';

const AT_ONCE = 8;
/** Whether callers meet is a matter of luck; so many rounds make it certain (each test failed before its cure). */
const ROUNDS = 5;

interface Stood {
  readonly revision: number;
  readonly updatedAt: string;
}

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(async () => lab?.close());

const atOnce = <T>(make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: AT_ONCE }, (_, i) => make(i)));

/** All calls of each round give the same row. */
async function giveOneRow(make: (round: number, index: number) => Promise<{ id: string }>): Promise<void> {
  const rows: { id: string }[][] = [];
  for (let round = 0; round < ROUNDS; round++) rows.push(await atOnce((index) => make(round, index)));
  for (const round of rows) expect(new Set(round.map((row) => row.id)).size).toBe(1);
  expect(new Set(rows.flat().map((row) => row.id)).size).toBe(ROUNDS);
}

const picture = (seed: number) =>
  sharp(
    Uint8Array.from({ length: 48 * 48 * 3 }, (_, i) => (i * (seed + 3) * 7919) % 251),
    { raw: { width: 48, height: 48, channels: 3 } },
  )
    .png()
    .toBuffer();

const facts = (hash: string, folder: string): BundleFacts => ({
  folder,
  hash,
  name: 'a bundle',
  voxels: 4,
  imageSizePx: 32,
  subject: { label: '77', simulated: true },
  defaults: { steps: 4, guidanceScale: 2 },
  maxSteps: 1000,
  twoStage: true,
  training: {
    components: [],
    prediction: 'epsilon',
    unetFault: undefined,
    embeddingSize: 16,
    poolSampleBytes: 1,
    files: {},
  },
});

test('a subject', () =>
  giveOneRow((round) => createSubject(lab.services, { label: `9${round}`, simulated: true })));

test('a source image', async () => {
  const files = await Promise.all(Array.from({ length: ROUNDS }, (_, i) => picture(i)));
  await giveOneRow((round) => uploadImage(lab.services, files[round]!));
});

test('a mask', async () => {
  const { id } = await uploadImage(lab.services, await picture(99));
  const part = { shape: 'rectangle', left: 0, top: 0, height: 0.5 } as const;
  await giveOneRow((round) => createPresetMask(lab.services, id, { ...part, width: 0.25 + round / 10 }));
});

test('a model, whose folder is then one of those that were named', async () => {
  await giveOneRow((round, index) => registerModel(lab.services, facts(`hash ${round}`, `/there/${index}`)));
  const { folder } = await lab.services.store.prisma.model.findUniqueOrThrow({ where: { hash: 'hash 0' } });
  expect(folder).toMatch(/^\/there\/[0-7]$/);
});

test('a model folder is known in any spelling of its path', async () => {
  const there = join(lab.folder, 'bundle');
  const describe = async (folder: string) => facts('spelt', folder);
  const spellings = [there, `${there}/`, join(lab.folder, 'x', '..', 'bundle'), relative('.', there)];
  for (const allowed of [there, relative('.', there)]) {
    for (const spelling of spellings) {
      const model = await registerModelFolder(lab.services, spelling, [allowed], describe);
      expect(model.folder).toBe(there);
    }
  }
  const refused = registerModelFolder(lab.services, `${there}x`, [there], describe);
  await expect(refused).rejects.toMatchObject({ code: 'NOT_FOUND', field: 'folder' });
});

const IMPORT = `mutation($input: ImportFmriSessionInput!) { importFmriSession(input: $input) {
  fmriSession { id } userErrors { code message field } } }`;

async function importSession(subjectId: string, label: string, seed: number) {
  const betas = writeNpy(
    Float32Array.from({ length: 12 }, (_, i) => Math.sin(i + seed)),
    [3, 4],
  );
  const files = {
    'input.betas': { name: 'betas.npy', bytes: betas },
    'input.trials': { name: 'trials.csv', bytes: Buffer.from('stimulus\na\nb\nc') },
  };
  const input = { subjectId: `Subject_${subjectId}`, label, betas: null, trials: null };
  const { data, errors } = await lab.send(IMPORT, { input }, files);
  expect(errors).toBeUndefined();
  return data!.importFmriSession as {
    fmriSession: { id: string } | null;
    userErrors: { code: string; field: string }[];
  };
}

test('an fMRI session: the same upload is one row, other data under its label is a conflict', async () => {
  const { id } = await createSubject(lab.services, { label: '50', simulated: true });
  await giveOneRow(async (round) => (await importSession(id, `same${round}`, round)).fmriSession!);
  for (let round = 0; round < ROUNDS; round++) {
    const before = await lab.census();
    const answers = await atOnce((index) => importSession(id, `other${round}`, index));
    expect(answers.filter((answer) => answer.fmriSession)).toHaveLength(1);
    for (const { userErrors } of answers.filter((answer) => !answer.fmriSession)) {
      expect(userErrors).toEqual([{ code: 'CONFLICT', field: 'label', message: expect.any(String) }]);
    }
    const after = await lab.census();
    expect([after.fmri_session, after.trial]).toEqual([before.fmri_session! + 1, before.trial! + 3]);
  }
});

test('ratings of one rater: each becomes a revision', async () => {
  const { prisma } = lab.services.store;
  const image = await uploadImage(lab.services, await picture(98));
  const mask = await createPresetMask(lab.services, image.id, { shape: 'full' });
  const model = await registerModel(lab.services, facts('rated', '/there'));
  const painting = await prisma.painting.create({
    data: {
      index: 0,
      pngSha256: '',
      thumbnailSha256: '',
      outsideMaskDifferentPixels: 0,
      job: {
        create: {
          imageId: image.id,
          maskId: mask.id,
          modelId: model.id,
          seed: 1n,
          steps: 1,
          guidanceScale: 1,
          paintingCount: 1,
        },
      },
    },
  });
  for (let round = 0; round < ROUNDS; round++) {
    const rater = `rater ${round}`;
    const given = await atOnce((index) =>
      ratePainting(lab.services, { paintingId: painting.id, rater, score: 1 + (index % 3) }),
    );
    const rating = await prisma.rating.findUniqueOrThrow({
      where: { paintingId_raterId: { paintingId: painting.id, raterId: given[0]!.raterId } },
      include: { revisions: true },
    });
    expect(new Set(given.map((each) => each.raterId)).size).toBe(1);
    expect(rating.revision).toBe(AT_ONCE);
    expect(rating.revisions.find((r) => r.number === AT_ONCE)!.score).toBe(rating.score);
    // Each word's audit event tells what stood before it, also where it had to wait for that.
    const events = await prisma.auditEvent.findMany({ where: { entityId: rating.id } });
    const told = events.map(
      ({ before, after }) => ({ before, after }) as unknown as { before: object; after: Stood },
    );
    const score = (number: number) => rating.revisions.find((r) => r.number === number)?.score;
    expect(told.sort((a, b) => a.after.revision - b.after.revision)).toMatchObject(
      Array.from({ length: AT_ONCE }, (_, i) => ({
        before: i === 0 ? null : { revision: i, score: score(i) },
        after: {
          id: rating.id,
          revision: i + 1,
          score: score(i + 1),
          createdAt: rating.createdAt.toISOString(),
        },
      })),
    );
    expect(told.at(-1)!.after.updatedAt).toBe(rating.updatedAt.toISOString());
  }
});

/** Runs a statement about a row whose transaction ends when the returned function is called: who needs the row waits for that. */
async function hold(statement: string, id: string): Promise<() => Promise<void>> {
  const client = await lab.services.store.pool.connect();
  await client.query('BEGIN');
  await client.query(statement, [id]);
  return async () => {
    await client.query('COMMIT');
    client.release();
  };
}

/** Waits until so many connections wait for a lock. */
const waiting = (count: number) =>
  expect
    .poll(async () => {
      const { rows } = await lab.services.store.pool.query<{ n: number }>(
        'SELECT count(DISTINCT pid)::int AS n FROM pg_locks WHERE NOT granted',
      );
      return rows[0]!.n;
    })
    .toBe(count);

/** Withdraws a subject as it stands, or says by which code that was refused. */
async function withdraw(subjectId: string): Promise<string> {
  const { digest } = (await reportWithdrawal(lab.services, subjectId))!;
  return withdrawSubject(lab.services, { subjectId, digest, reason: 'asked to' }).then(
    () => 'withdrawn',
    (error) => error.code,
  );
}

let parts: StudyParts;

test('a benchmark is not frozen beside the deletion of what it shows', async () => {
  const { services } = lab;
  parts = await writeStudyParts(services, 1);
  const { id } = await createBenchmark(services, benchmarkOrder(parts), { submittedBy: 'test' });
  await endJobs(services, 0, id);
  const deletion = `UPDATE source_image SET deleted_at = now(), deleted_reason = 'x' WHERE id = $1::uuid`;
  const letDeletionEnd = await hold(deletion, parts.imageIds[0]!);
  const frozen = freezeBenchmark(services, id).catch((error) => error.code);
  await waiting(1).finally(letDeletionEnd);
  expect(await frozen).toBe('CONFLICT');
});

test('a job and a training run that goes on, while their subject withdraws: neither waits for the other for ever', async () => {
  const { services } = lab;
  const restore = 'UPDATE source_image SET deleted_at = NULL, deleted_reason = NULL WHERE id = $1::uuid';
  await services.store.pool.query(restore, [parts.imageIds[0]]);
  const mask = await createPresetMask(services, parts.imageIds[0]!, { shape: 'full' });
  const order = {
    imageId: mask.imageId,
    maskId: mask.id,
    modelId: parts.modelId,
    trialIds: parts.trialIds,
    method: 'BRAIN',
    seed: 1,
    paintingCount: 1,
  } as const;
  const submit = () => submitPaintJob(services, order, { submittedBy: 'test' });
  const job = await submit();

  const letMaskGo = await hold('SELECT FROM mask WHERE id = $1::uuid FOR UPDATE', mask.id);
  const submitted = submit();
  await waiting(1);
  const early = withdraw(parts.subjectId);
  await waiting(2);
  await letMaskGo();
  expect((await submitted).state).toBe('QUEUED');
  expect(await early).toBe('CONFLICT');

  const run = await services.store.prisma.trainingRun.create({
    data: {
      name: 'run',
      subjectId: parts.subjectId,
      baseModelId: parts.modelId,
      parts: ['DIFFUSION'],
      settings: {},
      state: 'PAUSED',
    },
  });
  const letJobGo = await hold('SELECT FROM paint_job WHERE id = $1::uuid FOR UPDATE', job.id);
  const withdrawn = withdraw(parts.subjectId);
  await waiting(1);
  const resumed = resumeTrainingRun(services, run.id).catch((error) => error.code);
  await waiting(2);
  await letJobGo();
  expect([await withdrawn, await resumed]).toEqual(['withdrawn', 'NOT_FOUND']);
}, 60_000);
