// Traces, at a real OTLP receiver: a request, its operation, and the attempt at the job that it submitted are one trace.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { startPaintDevice } from '../../src/jobs/paint-device.js';
import { createInferenceProcess } from '../../src/runtime/inference-process.js';
import { startTracing } from '../../src/telemetry/tracing.js';
import { startLab } from '../support/lab.js';
import { storePaintParts } from '../support/paint-lab.js';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
}

test('from the request to the attempt, one trace', async () => {
  const spans: Span[] = [];
  const receiver = createServer(async (request, response) => {
    // biome-ignore lint/suspicious/noExplicitAny: the protocol's JSON
    const body = (await json(request)) as any;
    expect(request.url).toBe('/v1/traces');
    for (const resource of body.resourceSpans)
      for (const scope of resource.scopeSpans) spans.push(...scope.spans);
    response.end('{}');
  });
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  const stopTracing = await startTracing(
    `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`,
    'test',
  );
  const lab = await startLab();
  const order = await storePaintParts(lab.services, lab.folder);
  const input = {
    imageId: `SourceImage_${order.imageId}`,
    maskId: `Mask_${order.maskId}`,
    modelId: `Model_${order.modelId}`,
    trialIds: [`Trial_${order.trialIds[0]}`],
  };
  const query =
    'mutation($input: SubmitPaintJobInput!) { submitPaintJob(input: $input) { paintJob { id } } }';
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const { data } = await lab.send(query, { input }, {}, { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
  const id = (data!.submitPaintJob as { paintJob: { id: string } }).paintJob.id.slice('PaintJob_'.length);
  const child = new URL('../../src/main/inference-child.ts', import.meta.url).pathname;
  const inference = createInferenceProcess(child);
  const device = await startPaintDevice(lab.services, inference as never, () => {});
  const state = async () =>
    (await lab.services.store.prisma.paintJob.findUniqueOrThrow({ where: { id } })).state;
  await expect.poll(state, { timeout: 40_000 }).toBe('SUCCEEDED');
  await device.stop();
  await inference.close();
  await lab.close();
  await stopTracing();
  receiver.close();
  const one = (name: string) => spans.find((span) => span.name === name && span.traceId === traceId)!;
  const [http, operation, attempt] = [
    one('HTTP POST'),
    one('GraphQL submitPaintJob'),
    one('paint job attempt'),
  ];
  expect(http.parentSpanId).toBe('b7ad6b7169203331');
  expect(operation.parentSpanId).toBe(http.spanId);
  expect(attempt.parentSpanId).toBe(http.spanId);
});
