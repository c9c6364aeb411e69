// SQL statements of a document do not grow with the rows that it reads: counted where every statement passes, at the driver.

import type { GraphQLField, GraphQLObjectType } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { guideDocuments } from '../../scripts/own-documents.js';
import { createSchema } from '../../src/api/schema.js';
import { type Lab, startLab } from '../support/lab.js';

const schema = createSchema();
const MANY = 50;
let lab: Lab;
let batchId: string;

beforeAll(async () => {
  lab = await startLab();
});
afterAll(async () => lab?.close());

/** Adds `count` of everything: subjects, sessions, trials, pictures, jobs of one batch with paintings and ratings, runs, people. */
async function add(count: number): Promise<void> {
  const run = (sql: string) => lab.services.store.pool.query(sql, [count]);
  const n = 'generate_series(1, $1::int) AS n';
  const unique = 'md5(random()::text)';
  await run(`INSERT INTO subject (id, label) SELECT uuidv7(), ${unique} FROM ${n}`);
  await run(`INSERT INTO fmri_session (id, subject_id, label, voxels, constant_voxels, normalisation, upload_sha256, betas_sha256)
    SELECT uuidv7(), id, ${unique}, 4, 0, '', '', '' FROM (SELECT id FROM subject ORDER BY id DESC LIMIT $1::int)`);
  await run(`INSERT INTO trial (id, session_id, index, stimulus, repetition)
    SELECT uuidv7(), id, 0, 'a', 1 FROM (SELECT id FROM fmri_session ORDER BY id DESC LIMIT $1::int)`);
  await run(`INSERT INTO source_image (id, sha256, format, width, height, size_bytes, png_sha256, thumbnail_sha256)
    SELECT uuidv7(), ${unique}, 'png', 8, 8, 1, '', '' FROM ${n}`);
  await run(`INSERT INTO stimulus (id, name, image_id)
    SELECT uuidv7(), ${unique}, id FROM (SELECT id FROM source_image ORDER BY id DESC LIMIT $1::int)`);
  await run(`INSERT INTO mask (id, image_id, sha256, png_sha256, coverage)
    SELECT uuidv7(), id, '', '', 1 FROM (SELECT id FROM source_image ORDER BY id DESC LIMIT $1::int)`);
  await run(`INSERT INTO model (id, name, hash, folder, subject_label, simulated, voxels, image_size_px, default_steps, default_guidance_scale)
    SELECT uuidv7(), 'm', ${unique}, '', '01', true, 4, 8, 1, 1 FROM ${n}`);
  const { rows } = await lab.services.store.pool.query(
    `INSERT INTO paint_job_batch (id, submitted_by, idempotency_key, request_sha256, job_count)
     VALUES (uuidv7(), 'local', 'x', '', $1) ON CONFLICT (submitted_by, idempotency_key) DO UPDATE SET job_count = $1 RETURNING id`,
    [count],
  );
  batchId = rows[0].id;
  await run(`INSERT INTO paint_job (id, image_id, mask_id, model_id, seed, steps, guidance_scale, painting_count, batch_id, retried_from_id)
    SELECT uuidv7(), m.image_id, m.id, o.id, 0, 1, 1, 1, '${batchId}', (SELECT id FROM paint_job LIMIT 1)
    FROM (SELECT *, row_number() OVER () AS k FROM mask ORDER BY id DESC LIMIT $1::int) m
    JOIN (SELECT *, row_number() OVER () AS k FROM model) o ON o.k = 1 + m.k % (SELECT count(*) FROM model)`);
  await run(`INSERT INTO paint_job_trial (job_id, trial_id)
    SELECT j.id, t.id FROM (SELECT id, row_number() OVER () AS k FROM (SELECT id FROM paint_job ORDER BY id DESC LIMIT $1::int)) j
    JOIN (SELECT id, row_number() OVER () AS k FROM (SELECT id FROM trial ORDER BY id DESC LIMIT $1::int)) t USING (k)`);
  await run(`INSERT INTO painting (id, job_id, index, png_sha256, thumbnail_sha256, outside_mask_different_pixels)
    SELECT uuidv7(), id, 0, '', '', 0 FROM (SELECT id FROM paint_job ORDER BY id DESC LIMIT $1::int)`);
  await run(`INSERT INTO lab_user (id, name, role) SELECT uuidv7(), ${unique}, 'RATER' FROM ${n}`);
  await run(`INSERT INTO rating (id, painting_id, rater_id, score, updated_at)
    SELECT uuidv7(), p.id, u.id, 1, now() FROM (SELECT id, row_number() OVER () AS k FROM (SELECT id FROM painting ORDER BY id DESC LIMIT $1::int)) p
    JOIN (SELECT id, row_number() OVER () AS k FROM (SELECT id FROM lab_user ORDER BY id DESC LIMIT $1::int)) u USING (k)`);
  await run(`INSERT INTO audit_event (id, user_id, action, entity_type, entity_id)
    SELECT uuidv7(), id, 'createUser', 'User', id::text FROM (SELECT id FROM lab_user ORDER BY id DESC LIMIT $1::int)`);
}

/** Sends a document and counts the statements that reach the driver meanwhile. */
async function statementsOf(query: string, variables: object): Promise<number> {
  const spy = vi.spyOn(pg.Client.prototype, 'query');
  try {
    const { errors } = await lab.send(query, variables);
    expect(errors).toBeUndefined();
    return spy.mock.calls.length;
  } finally {
    spy.mockRestore();
  }
}

const typeOf = (field: { readonly type: unknown }) =>
  schema.getType(String(field.type).replace(/[[\]!]/g, ''));
const fieldsOf = (type: unknown) => Object.values((type as GraphQLObjectType).getFields?.() ?? {});

/** Everything that hangs on a type, two levels deep; pages within pages are taken where `pages`. */
function select(type: unknown, levels: number): string {
  const parts = fieldsOf(type).flatMap((field: GraphQLField<unknown, unknown>) => {
    const inner = typeOf(field);
    if (fieldsOf(inner).length === 0) return field.args.length === 0 ? [field.name] : [];
    if (levels === 0) return [];
    if (String(field.type).endsWith('Connection!'))
      return [`${field.name}(first: 2) { totalCount nodes { id } }`];
    return field.args.length === 0 ? [`${field.name} { ${select(inner, levels - 1)} }`] : [];
  });
  return parts.join(' ');
}

const connections = fieldsOf(schema.getQueryType()).filter((field) =>
  String(field.type).endsWith('Connection!'),
);
const generated = connections.map((field) => {
  const node = fieldsOf(typeOf(field)).find(({ name }) => name === 'nodes')!;
  return {
    place: `Query.${field.name}`,
    text: `{ ${field.name}(first: 60) { totalCount nodes { ${select(typeOf(node), 1)} } } }`,
  };
});

const DASHBOARD = `{
  paintJobs(first: 60) { totalCount nodes { id state stepsDone stepsTotal previewUrl createdAt sourceImage { thumbnailUrl } model { name }
    trials { stimulus fmriSession { label subject { label } } } paintings { thumbnailUrl ratings { score } }
    attempts { number } estimate { endsInSeconds } error { message } batch { id stateCounts { state count } } } }
  devices(first: 10) { name state }
  trainingRuns(first: 60) { nodes { id state subject { label } model { name } } }
  models(first: 60) { nodes { id name trainingRun { id } } }
}`;

const documents = [
  { place: 'the dashboard', text: DASHBOARD },
  ...generated,
  ...guideDocuments().filter(({ text }) => /^(query|\{)/.test(text) && !text.includes('..."')),
];

test('statements do not grow with the rows', async () => {
  expect(generated.length).toBeGreaterThan(6);
  // Two, since the second job names the first as the one that it retries.
  await add(1);
  await add(1);
  const count = async () => {
    const counts: Record<string, number> = {};
    const { label } = await lab.services.store.prisma.subject.findFirstOrThrow();
    for (const { place, text } of documents) {
      const id = text.includes('paintJob(id') ? undefined : `PaintJobBatch_${batchId}`;
      const job = await lab.services.store.prisma.paintJob.findFirstOrThrow();
      counts[place] = await statementsOf(text, { id: id ?? `PaintJob_${job.id}`, label, stimulus: 'a' });
    }
    return counts;
  };
  const few = await count();
  expect(Math.min(...Object.values(few))).toBeGreaterThan(0);
  await add(MANY - 2);
  expect(await count()).toEqual(few);
});
