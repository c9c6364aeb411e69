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
  return { status: response.status, text, ...(JSON.parse(text) as { ok: boolean; checks: object }) };
}
const beat = (secondsAgo: number) =>
  lab.services.store.pool.query(
    `INSERT INTO worker_heartbeat VALUES ('a worker', clock_timestamp() - make_interval(secs => $1))
     ON CONFLICT (worker_id) DO UPDATE SET beat_at = excluded.beat_at`,
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
  expect(await health()).toMatchObject({ status: 200, ok: true, checks: { database: good, worker: good } });
  await beat(60);
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
  const { status, text, checks } = await health(await api.listen(0, '127.0.0.1'));
  expect(status).toBe(503);
  expect(checks).toMatchObject({ database: { ok: false }, worker: { ok: false } });
  expect(text).not.toMatch(/hunter2|someone|127\.0\.0\.1/);
  await api.close();
  await store.close();
});
