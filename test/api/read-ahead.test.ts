// What a page of jobs reads by SQL of its own is, column by column, what Prisma reads; and what is read ahead is what fields read.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLoaders } from '../../src/api/loaders.js';
import { SYSTEM } from '../../src/services/access.js';
import { listPaintJobs } from '../../src/services/lists.js';
import { readSurroundings } from '../../src/services/paint-job-surroundings.js';
import { type Lab, startLab } from '../support/lab.js';
import { type PaintParts, writePaintParts } from '../support/paint-lab.js';

let lab: Lab;
let parts: PaintParts;
let jobId: string;
/** More than 32 bits, so that no number on the way is too small for it. */
const SEED = 2 ** 53 - 1;

beforeAll(async () => {
  lab = await startLab();
  const { prisma } = lab.services.store;
  parts = await writePaintParts(lab.services);
  const { imageId, maskId, modelId } = parts.order;
  const gone = { deletedAt: new Date('2026-01-02T03:04:05.600Z'), deletedReason: 'a test' };
  await prisma.sourceImage.updateMany({ data: { name: 'a picture', notes: 'noted', ...gone } });
  await prisma.fmriSession.updateMany({ data: { notes: 'noted', ...gone } });
  await prisma.subject.updateMany({ data: { notes: 'noted', ...gone } });
  const base = { imageId, maskId, modelId, steps: 1, guidanceScale: 1.5, paintingCount: 2 };
  const [shown, other] = parts.trialIds as [string, string];
  const job = await prisma.paintJob.create({
    data: {
      ...base,
      seed: BigInt(SEED),
      startDeadline: new Date('2030-01-01T00:00:00.010Z'),
      trials: { create: [{ trialId: other, shuffled: true }, { trialId: shown }] },
      paintings: {
        create: [1, 0].map((index) => ({
          index,
          pngSha256: `png ${index}`,
          thumbnailSha256: 'x',
          outsideMaskDifferentPixels: 0,
        })),
      },
    },
  });
  jobId = job.id;
  for (const seed of [1n, 2n]) await prisma.paintJob.create({ data: { ...base, seed } });
});
afterAll(async () => lab?.close());

test('rows are those of Prisma, alone and all at once', async () => {
  const { services } = lab;
  const { prisma } = services.store;
  const where = { id: jobId };
  const job = await prisma.paintJob.findUniqueOrThrow({ where });
  const { nodes } = await listPaintJobs(services, {}, { last: 1 });
  expect(nodes).toStrictEqual([job]);

  const [trial, shuffled] = await Promise.all(
    parts.trialIds.map((id) => prisma.trial.findUniqueOrThrow({ where: { id } })),
  );
  const trials = [
    { jobId, shuffled: false, ...trial },
    { jobId, shuffled: true, ...shuffled },
  ];
  const image = await prisma.sourceImage.findFirstOrThrow();
  const session = await prisma.fmriSession.findFirstOrThrow();
  const subject = await prisma.subject.findFirstOrThrow();
  const paintings = await prisma.painting.findMany({ orderBy: { index: 'asc' } });
  const asked = { images: true, trials: true, sessions: true, paintings: true };
  expect(await readSurroundings(services, nodes, asked)).toEqual({
    images: [image],
    trials,
    sessions: [{ ...session, subject }],
    paintings,
  });
  const loaders = createLoaders(services.store, SYSTEM);
  expect(await loaders.SourceImage.load(image.id)).toEqual(image);
  expect(await loaders.FmriSession.load(session.id)).toEqual(session);
  expect(await loaders.Subject.load(subject.id)).toEqual(subject);
  expect(await loaders.trialsOfJob.load(jobId)).toEqual(trials);
  expect(await loaders.paintingsOfJob.load(jobId)).toEqual(paintings);
});

const FIELDS = `id seed createdAt sourceImage { id name } trials { id fmriSession { id notes subject { id label } } }
  shuffledTrials { id } paintings { id index createdAt }`;

test('nodes, edges, fragments and fields behind directives give the same', async () => {
  const query = `query($yes: Boolean = true) {
    nodes: paintJobs(first: 10) { nodes { ${FIELDS} } }
    edges: paintJobs(first: 10) { edges { node { ...Job } } }
    later: paintJobs(first: 10) @include(if: $yes) { nodes @include(if: $yes) { ... @include(if: $yes) { ${FIELDS} } } }
  }
  fragment Job on PaintJob { ... on PaintJob { ${FIELDS} } }`;
  const { data, errors } = await lab.send(query, {});
  expect(errors).toBeUndefined();
  // biome-ignore lint/suspicious/noExplicitAny: three shapes of one list
  const { nodes, edges, later } = data as any;
  expect(nodes.nodes).toHaveLength(3);
  expect(nodes.nodes[2]).toMatchObject({ seed: SEED, sourceImage: { name: 'a picture' } });
  expect(nodes.nodes[2].trials[0].fmriSession.subject.label).toBe('01');
  expect(edges.edges.map(({ node }: { node: object }) => node)).toEqual(nodes.nodes);
  expect(later.nodes).toEqual(nodes.nodes);
});

test('pages follow one another from both ends', async () => {
  const ids = async (args: object) => {
    const { nodes, edges } = await listPaintJobs(lab.services, {}, args);
    return { ids: nodes.map(({ id }) => id), cursors: edges.map(({ cursor }) => cursor) };
  };
  const all = await ids({ first: 10 });
  expect(all.ids).toEqual([...all.ids].sort().reverse());
  expect((await ids({ first: 1, after: all.cursors[0] })).ids).toEqual([all.ids[1]]);
  expect((await ids({ last: 2 })).ids).toEqual(all.ids.slice(1));
  expect((await ids({ last: 1, before: all.cursors[2] })).ids).toEqual([all.ids[1]]);
});
