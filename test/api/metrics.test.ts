// GET /metrics: what is counted, for whom, and that no client can make it grow.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMetricsServer } from '../../src/api/metrics.js';
import { runPaintJob } from '../../src/jobs/paint.js';
import { createInferenceProcess } from '../../src/runtime/inference-process.js';
import { takeDevice } from '../../src/services/devices.js';
import { claimPaintJob } from '../../src/services/paint-job-attempts.js';
import { submitPaintJob } from '../../src/services/paint-job-submission.js';
import { type Lab, startLab } from '../support/lab.js';
import { storePaintParts, writePaintParts } from '../support/paint-lab.js';
import { addPerson, addRater, addToken } from '../support/people.js';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ remote: true });
});
afterAll(async () => lab?.close());

const get = (headers: Record<string, string> = {}) => fetch(`${lab.url}/metrics`, { headers });
/** The values of one metric by its labels. */
async function read(headers: Record<string, string>, name: string): Promise<Record<string, number>> {
  const text = await (await get(headers)).text();
  const lines = [...text.matchAll(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`, 'gm'))];
  return Object.fromEntries(lines.map(([, labels = '', value]) => [labels, Number(value)]));
}

test('admins read it, with any token of theirs; for others it is not there', async () => {
  const admin = await addPerson(lab, 'ADMIN');
  const response = await get({ ...admin.headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  for (const name of [
    'process_cpu_seconds_total',
    'nodejs_eventloop_lag_seconds',
    'mindpainter_database_connections',
  ])
    expect(text).toContain(`\n${name}`);
  expect((await get({ ...(await addToken(lab, admin.userId, ['READ'])).headers })).status).toBe(200);
  expect((await get()).status).toBe(401);
  expect((await get({ ...(await addRater(lab)).headers })).status).toBe(404);
  expect((await get({ ...(await addPerson(lab, 'RESEARCHER')).headers })).status).toBe(404);
});

test('on the embedded default whoever sits at the machine reads it', async () => {
  const local = await startLab();
  expect((await fetch(`${local.url}/metrics`)).status).toBe(200);
  await local.close();
});

test("a worker's own server keeps to the same rules and serves nothing else", async () => {
  const { headers } = await addPerson(lab, 'ADMIN');
  const server = createMetricsServer({ services: lab.services, localViewer: undefined });
  const url = await server.listen(0, '127.0.0.1');
  const status = async (path: string, more = {}) => (await fetch(`${url}${path}`, { headers: more })).status;
  expect(await status('/metrics', headers)).toBe(200);
  expect(await status('/metrics')).toBe(401);
  expect(await status('/graphql', headers)).toBe(404);
  await server.close();
});

test('jobs by state and priority; a job that ran by its wait, its time and its steps', async () => {
  const { headers } = await addPerson(lab, 'ADMIN');
  const order = await storePaintParts(lab.services, lab.folder);
  await submitPaintJob(lab.services, order, { submittedBy: 'local' });
  await submitPaintJob(lab.services, order, { submittedBy: 'local', priority: 3 });
  expect(await read({ ...headers }, 'mindpainter_paint_jobs')).toEqual({
    '{state="QUEUED",priority="0"}': 1,
    '{state="QUEUED",priority="3"}': 1,
  });
  const [worker] = ['0190a1b2-0000-7000-8000-000000000001'];
  await takeDevice(lab.services, worker!);
  const steps = (await read({ ...headers }, 'mindpainter_denoising_step_seconds_count'))[''] ?? 0;
  const inference = createInferenceProcess(
    new URL('../../src/main/inference-child.ts', import.meta.url).pathname,
  );
  const job = (await claimPaintJob(lab.services, worker!))!;
  expect(await read({ ...headers }, 'mindpainter_devices')).toEqual({ '{state="ONLINE"}': 1 });
  await runPaintJob(lab.services, inference as never, job, new AbortController().signal);
  await inference.close();
  const done = await lab.services.store.prisma.paintJob.findUniqueOrThrow({ where: { id: job.id } });
  expect(done.state).toBe('SUCCEEDED');
  expect(await read({ ...headers }, 'mindpainter_paint_job_run_seconds_count')).toMatchObject({
    '{outcome="SUCCEEDED"}': 1,
  });
  expect((await read({ ...headers }, 'mindpainter_paint_job_wait_seconds_count'))['']).toBe(1);
  expect((await read({ ...headers }, 'mindpainter_denoising_step_seconds_count'))['']).toBe(
    steps + done.stepsTotal,
  );
  expect(await read({ ...headers }, 'mindpainter_paint_jobs')).toEqual({
    '{state="QUEUED",priority="0"}': 1,
  });
});

test('operations and errors by name and code; names that a client makes up do not become labels', async () => {
  const { headers } = await addPerson(lab, 'ADMIN');
  await writePaintParts(lab.services, '77');
  const send = (query: string) => lab.send(query, {}, {}, headers);
  for (let i = 0; i < 30; i++) {
    await send(`query Made${i} { viewer { role } }`);
    await send(`query { made${i}: models(first: 1) { nodes { id } } }`);
    await send(`{ nothing${i} }`);
    await fetch(`${lab.url}/made-up-${i}`, { headers });
  }
  await send('{ viewer { role } models(first: 1) { nodes { id } } }');
  await send('mutation { createSubject(input: { label: "!" }) { userErrors { code } } }');
  const operations = await read({ ...headers }, 'mindpainter_graphql_operation_seconds_count');
  expect(operations['{operation="viewer",outcome="ok"}']).toBe(30);
  expect(operations['{operation="models",outcome="ok"}']).toBe(30);
  expect(operations['{operation="invalid",outcome="error"}']).toBe(30);
  expect(operations['{operation="several",outcome="ok"}']).toBe(1);
  const errors = await read({ ...headers }, 'mindpainter_graphql_errors_total');
  expect(errors['{kind="response",code="GRAPHQL_VALIDATION_FAILED"}']).toBe(30);
  expect(errors['{kind="payload",code="BAD_INPUT"}']).toBe(1);
  const text = await (await get(headers)).text();
  expect(text).not.toMatch(/made|nothing/i);
  const routes = await read({ ...headers }, 'mindpainter_http_request_seconds_count');
  expect(routes['{route="other",status="404"}']).toBe(30);
});
