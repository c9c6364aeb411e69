// What the jobs of a page lead to: pictures, trials with session and subject, paintings. Read at once, for whoever shows a page.

import type {
  FmriSession,
  Painting,
  PaintJob,
  SourceImage,
  Subject,
  Trial,
} from '../generated/prisma/client.js';
import { prepareSql } from '../store/sql.js';
import { type Entity, reach } from './access.js';
import type { Services } from './context.js';
import { withDates } from './json-rows.js';

const READ = prepareSql('paint-job-surroundings');

export interface TrialOfJob extends Trial {
  readonly jobId: string;
  /** Whether a shuffled job paints by it instead. */
  readonly shuffled: boolean;
}

/** What was asked for and may be read; the rest is null. Sessions come with their subject. */
export interface Surroundings {
  readonly images: readonly SourceImage[] | null;
  readonly trials: readonly TrialOfJob[] | null;
  readonly sessions: readonly (FmriSession & { readonly subject: Subject })[] | null;
  readonly paintings: readonly Painting[] | null;
}
export type Asked = { readonly [K in keyof Surroundings]: boolean };

const ENTITIES: Readonly<Record<keyof Surroundings, readonly Entity[]>> = {
  images: ['SourceImage'],
  trials: ['Trial'],
  sessions: ['Trial', 'FmriSession', 'Subject'],
  paintings: ['Painting'],
};

/** Reads what is asked for around some jobs, as far as the viewer may read it. */
export async function readSurroundings(
  { store, viewer }: Services,
  jobs: readonly PaintJob[],
  asked: Asked,
): Promise<Surroundings> {
  const wants = (kind: keyof Surroundings) =>
    asked[kind] && ENTITIES[kind].every((entity) => reach(viewer, entity) === 'ALL');
  const ids = jobs.map(({ id }) => id);
  const { rows } = await store.pool.query<Surroundings>(READ, [
    wants('images') ? [...new Set(jobs.map(({ imageId }) => imageId))] : null,
    wants('trials') ? ids : null,
    wants('sessions'),
    wants('paintings') ? ids : null,
  ]);
  const { images, trials, sessions, paintings } = rows[0]!;
  withDates(sessions?.map(({ subject }) => subject) ?? [], ['createdAt', 'deletedAt']);
  return {
    images: wants('images') ? withDates(images ?? [], ['createdAt', 'deletedAt']) : null,
    trials: wants('trials') ? (trials ?? []) : null,
    sessions: wants('sessions') ? withDates(sessions ?? [], ['createdAt', 'deletedAt']) : null,
    paintings: wants('paintings') ? withDates(paintings ?? [], ['createdAt']) : null,
  };
}
