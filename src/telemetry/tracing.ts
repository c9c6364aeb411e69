// Traces by OpenTelemetry. Without a provider the calls below do nothing; the provider is loaded only where an address is set.

import {
  type Attributes,
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

let tracing = false;
/** Whether anybody receives what is traced. */
export const isTracing = () => tracing;

const NOTHING = () => {};
const tracer = () => trace.getTracer('mindpainter');

/** Sends spans to an OTLP receiver over HTTP until the returned function is called, which sends the rest. */
export async function startTracing(endpoint: string, serviceName: string): Promise<() => Promise<void>> {
  const [{ NodeTracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` });
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  provider.register();
  tracing = true;
  return () => provider.shutdown().catch(() => {});
}

/** The current span as a W3C traceparent, or null without one. */
export function traceParent(): string | null {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent ?? null;
}

/**
 * Does work in a span; `parent` is a traceparent that came from elsewhere, else the current span is. An error that work throws
 * is noted by its name only; `fail` notes a failure that is an answer.
 */
export function inSpan<T>(
  name: string,
  options: {
    readonly attributes?: Attributes;
    readonly parent?: string | null | undefined;
    readonly kind?: 'SERVER' | 'INTERNAL' | 'CONSUMER';
  },
  work: (set: (attributes: Attributes) => void, fail: () => void) => Promise<T>,
): Promise<T> {
  if (!tracing) return work(NOTHING, NOTHING);
  const { attributes = {}, parent, kind = 'INTERNAL' } = options;
  const from = parent ? propagation.extract(ROOT_CONTEXT, { traceparent: parent }) : context.active();
  return tracer().startActiveSpan(name, { attributes, kind: SpanKind[kind] }, from, async (span) => {
    try {
      return await work(
        (more) => void span.setAttributes(more),
        () => void span.setStatus({ code: SpanStatusCode.ERROR }),
      );
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).name });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Notes a span that ends now and began at `startedAt` (of Date.now), within the current one. */
export function recordSpan(name: string, startedAt: number, attributes: Attributes, failed: boolean): void {
  const span = tracer().startSpan(name, { startTime: startedAt, attributes });
  if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
