// GET /health: 200 when all is well, else 503 with the reason, and nothing in it that is not for strangers.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiServer } from '../../src/api/server.js';
import { createLog } from '../../src/log.js';
import { openBlobs } from '../../src/store/blobs.js';
import { openStore } from '../../src/store/client.js';
import { type Lab, startLab } from '../support/lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(async () => lab?.close());

async function health(url = lab.url) {
  const response = await fetch(`${url}/health`);
  const text = await response.text();
  const { status: overall, ...rest } = JSON.parse(text) as { ok: boolean; status: string; checks: object };
  return { status: response.status, text, overall, ...rest };
}
const beat = (secondsAgo: number) =>
  lab.services.store.pool.query(
    `INSERT INTO worker_heartbeat VALUES ('a worker', clock_timestamp() - make_interval(secs => $1))
     ON CONFLICT (worker_id) DO UPDATE SET beat_at = excluded.beat_at`,
    [secondsAgo],
  );
/** A device as a worker leaves it that beat so long ago. */
const device = (secondsAgo: number) =>
  lab.services.store.pool.query(
    `INSERT INTO device (id, host, slot, worker_id, beat_at)
     VALUES (gen_random_uuid(), 'host', 1, gen_random_uuid(), clock_timestamp() - make_interval(secs => $1))
     ON CONFLICT (host, slot) DO UPDATE SET beat_at = excluded.beat_at`,
    [secondsAgo],
  );
const good = { ok: true, reason: expect.any(String) };

test('no worker, a worker, a worker that fell silent', async () => {
  expect(await health()).toMatchObject({
    status: 503,
    ok: false,
    checks: { database: good, worker: { ok: false, reason: expect.stringContaining('no worker runs') } },
  });
  await beat(3);
  expect(await health()).toMatchObject({
    status: 503,
    checks: { worker: good, device: { ok: false, reason: expect.stringContaining('no device is online') } },
  });
  await device(3);
  const checks = { database: good, worker: good, device: good, disk: good };
  expect(await health()).toMatchObject({ status: 200, overall: 'ok', ok: true, checks });
  await lab.services.store.pool.query('UPDATE device SET paused_at = now()');
  expect(await health()).toMatchObject({
    status: 200,
    checks: { device: { ok: true, reason: expect.stringContaining('all are paused') } },
  });
  await beat(60);
  await device(60);
  expect(await health()).toMatchObject({
    status: 503,
    checks: { database: good, worker: { ok: false, reason: expect.stringMatching(/6\d s ago/) } },
  });
});

test('no database: 503, and neither address nor account are told', async () => {
  const store = openStore('postgresql://someone:hunter2@127.0.0.1:1/lab');
  const services = { ...lab.services, store, blobs: openBlobs(lab.folder) };
  const describeBundle = () => Promise.reject(new Error('unused'));
  const log = createLog('silent');
  const api = await createApiServer({ services, log, modelFolders: [], describeBundle, maxUploadBytes: 1 });
  const other = api.listen(0, '127.0.0.1');
  const { status, text, checks } = await health(await other);
  expect(status).toBe(503);
  expect(checks).toMatchObject({ database: { ok: false }, worker: { ok: false } });
  expect(text).not.toMatch(/hunter2|someone|127\.0\.0\.1/);
  const url = await other;
  const answered = async (path: string) => (await fetch(`${url}${path}`)).status;
  expect([await answered('/health/live'), await answered('/health/ready')]).toEqual([200, 503]);
  await api.close();
  await store.close();
});

test('ready without a worker, not without room on the disk', async () => {
  await lab.services.store.pool.query('DELETE FROM worker_heartbeat');
  expect((await fetch(`${lab.url}/health/ready`)).status).toBe(200);
  const { blobs } = lab.services;
  const { freeBytes } = blobs;
  expect(await freeBytes()).toBeGreaterThan(0);
  blobs.freeBytes = async () => 5e8;
  expect(await health(lab.url)).toMatchObject({
    checks: { disk: { ok: false, reason: expect.stringContaining('0.5 GB') } },
  });
  expect((await fetch(`${lab.url}/health/ready`)).status).toBe(503);
  blobs.freeBytes = freeBytes;
});

test('a request has the id that it came with, or a new one; answers and errors carry it', async () => {
  const id = async (given?: string) =>
    (await fetch(`${lab.url}/health/live`, given ? { headers: { 'x-request-id': given } } : {})).headers.get(
      'x-request-id',
    );
  expect(await id('from-a-client:1')).toBe('from-a-client:1');
  const made = /^[0-9a-f-]{36}$/;
  expect(await id()).toMatch(made);
  expect(await id('has spaces {"level":60}')).toMatch(made);
  expect(await id('x'.repeat(129))).toMatch(made);
});
