// A whole lab for tests: a real database of its own, real blobs, the real API on a free port.

import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiDeps } from '../../src/api/context.js';
import { createApiServer } from '../../src/api/server.js';
import { createLog } from '../../src/log.js';
import { SYSTEM } from '../../src/services/access.js';
import type { Services } from '../../src/services/context.js';
import { localViewer } from '../../src/services/sign-in.js';
import { openBlobs } from '../../src/store/blobs.js';
import { openStore } from '../../src/store/client.js';
import { noBundle } from './bare-api.js';
import { createTestDatabase } from './database.js';

export interface UploadFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Answer {
  readonly data?: Record<string, unknown>;
  readonly errors?: { message: string; extensions: { code: string; field?: string } }[];
}

export interface Lab {
  readonly url: string;
  readonly databaseUrl: string;
  readonly services: Services;
  readonly folder: string;
  /** Sends a document; files go as multipart, keyed by their place in the variables (`input.file`). */
  send(
    query: string,
    variables?: object,
    files?: Readonly<Record<string, UploadFile>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  /** Rows of every table and the number of blobs: equal before and after whatever stores nothing. */
  census(): Promise<Record<string, number>>;
  close(): Promise<void>;
}

const TABLES = [
  'subject',
  'fmri_session',
  'trial',
  'source_image',
  'mask',
  'model',
  'paint_job',
  'paint_job_batch',
  'paint_job_event',
  'paint_job_trial',
  'paint_job_attempt',
  'painting',
  'rating',
  'rating_revision',
  'stimulus',
  'training_run',
  'training_run_point',
  'lab_user',
  'credential',
  'audit_event',
  'benchmark',
  'benchmark_cell',
  'benchmark_measurement',
  'study',
  'study_rater',
  'study_event',
  'webhook_endpoint',
  'webhook_event',
  'webhook_delivery',
  'graphile_worker.jobs',
];

const temporaryBefore = process.env.TMPDIR;

/** Requests are the local admin's, as on the embedded default, unless `remote`: then nobody's without a token. */
export async function startLab(
  options: {
    maxUploadBytes?: number;
    remote?: boolean;
    modelFolders?: readonly string[];
    describeBundle?: ApiDeps['describeBundle'];
    /** Limits and the like, for tests of those. */
    api?: Partial<Pick<ApiDeps, 'requestsPerMinute' | 'introspection' | 'trustedDocuments' | 'log'>>;
  } = {},
): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'mindpainter-test-'));
  // Uploads under way lie in the system's temporary folder: one of this lab's own, so that the census counts no other's.
  const temporaryFolder = join(folder, 'temporary');
  await mkdir(temporaryFolder);
  process.env.TMPDIR = temporaryFolder;
  const database = await createTestDatabase();
  const store = openStore(database.url, 8);
  const blobFolder = join(folder, 'blobs');
  const services = {
    store,
    blobs: openBlobs(blobFolder),
    secretKey: 'key of the tests',
    viewer: SYSTEM,
    privateWebhooks: !options.remote,
  };
  const api = await createApiServer({
    services,
    log: createLog('silent'),
    modelFolders: options.modelFolders ?? [],
    describeBundle: options.describeBundle ?? noBundle,
    maxUploadBytes: options.maxUploadBytes ?? 20_000_000,
    ...options.api,
    localViewer: options.remote ? undefined : await localViewer(services),
  });
  const url = await api.listen(0, '127.0.0.1');
  return {
    url,
    databaseUrl: database.url,
    services,
    folder,
    async send(query, variables = {}, files = {}, more = {}) {
      const names = Object.keys(files);
      const operations = JSON.stringify({ query, variables });
      let body: string | FormData = operations;
      const headers: Record<string, string> = { 'apollo-require-preflight': 'true', ...more };
      if (names.length === 0) headers['content-type'] = 'application/json';
      else {
        body = new FormData();
        body.set('operations', operations);
        body.set('map', JSON.stringify(Object.fromEntries(names.map((n, i) => [i, [`variables.${n}`]]))));
        for (const [i, n] of names.entries()) {
          body.set(String(i), new Blob([new Uint8Array(files[n]!.bytes)]), files[n]!.name);
        }
      }
      const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body });
      return (await response.json()) as Answer;
    },
    async census() {
      const counts: Record<string, number> = {};
      for (const table of TABLES) {
        const { rows } = await store.pool.query(`SELECT count(*)::int AS n FROM ${table}`);
        counts[table] = rows[0].n;
      }
      const blobs = await readdir(blobFolder, { recursive: true, withFileTypes: true }).catch(() => []);
      counts.blobs = blobs.filter((entry) => entry.isFile()).length;
      const temporary = await readdir(temporaryFolder);
      counts.temporary = temporary.filter((name) => name.startsWith('capacitor-')).length;
      return counts;
    },
    async close() {
      await api.close();
      await store.close();
      await database.drop();
      process.env.TMPDIR = temporaryBefore;
      if (temporaryBefore === undefined) delete process.env.TMPDIR;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
