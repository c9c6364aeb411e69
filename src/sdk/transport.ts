// How the SDK speaks to a server: typed documents over HTTP with safe retries, subscriptions over WebSocket, and files.

import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { TypedDocumentString } from '../generated/operations.js';
import { type ErrorCode, hasCode, MindPainterError, refusal, type UserError } from './errors.js';
import { withRetries } from './retry.js';
import { createSession } from './session.js';
import { requestBody } from './uploads.js';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** How often it is tried where that is safe; default 5. */
  readonly tries?: number;
}

export interface Transport {
  /** Answers a query; repeated after network errors. */
  query<R, V extends object>(
    document: TypedDocumentString<R, V>,
    variables: V,
    options?: CallOptions,
  ): Promise<R>;
  /**
   * Runs a mutation and gives its payload's value under `key`, or throws what it was refused for. `repeatable`: sending it
   * twice does no more than sending it once.
   */
  mutate<R extends object, V extends object, K extends keyof Payload<R>>(
    document: TypedDocumentString<R, V>,
    variables: V,
    key: K,
    options: CallOptions & { repeatable: boolean },
  ): Promise<NonNullable<Payload<R>[K]>>;
  /** As `mutate`, with all that the payload holds; for the few that have more than one value. */
  mutateWhole<R extends object, V extends object>(
    document: TypedDocumentString<R, V>,
    variables: V,
    options: CallOptions & { repeatable: boolean },
  ): Promise<Payload<R>>;
  /** What a subscription sends, until it ends or its connection breaks; then it throws UNREACHABLE. */
  subscribe<R, V extends object>(
    document: TypedDocumentString<R, V>,
    variables: V,
    signal?: AbortSignal,
  ): AsyncIterable<R>;
  /** The answer to GET of one of the server's own addresses, checked to be a success; its body is not read yet. */
  open(address: string, signal?: AbortSignal): Promise<Response>;
  /** Whether this server has ever answered: one that has is waited for when it is away. */
  isKnown(): boolean;
  close(): Promise<void>;
}

/** What the one field of a mutation's answer holds. */
export type Payload<R> = R[keyof R];

export interface TransportOptions {
  /** Address of the server, with or without `/graphql`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** For an answer to begin; uploads have ten times as long. */
  readonly timeoutMs: number;
}

interface Answer<R> {
  readonly data?: R | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string; readonly field?: string };
  }[];
  readonly error?: { readonly code?: string; readonly message?: string };
}

/** Faults after which the request is known not to have reached a server. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);
const KEEP_ALIVE_MS = 15_000;
const CODES_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  413: 'TOO_LARGE',
  429: 'LIMIT_REACHED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'UNAVAILABLE',
};

/** The server's address, ending in a slash. Throws MindPainterError BAD_INPUT. */
export function parseServer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new MindPainterError(
      'BAD_INPUT',
      `${text} is no server's address; give one like http://host:4000`,
      {
        field: 'url',
      },
    );
  url.pathname = url.pathname.replace(/\/(graphql\/?)?$/, '/');
  url.search = '';
  url.hash = '';
  return url;
}

/** Seconds that a Retry-After header asks for, whether it counts or names a moment. */
function retryAfter({ headers }: Response): number | undefined {
  const text = headers.get('retry-after');
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

/** What an answer that is no success says, as an error. */
function toError(response: Response, answer: Answer<unknown> | undefined): MindPainterError {
  const first = answer?.errors?.[0];
  const byStatus = CODES_OF_STATUS[response.status];
  const given = first?.extensions?.code ?? answer?.error?.code;
  // However a busy server words it, it is asked again later.
  const busy = response.status === 429 || response.status === 503;
  const code = busy ? byStatus : (given ?? byStatus);
  const message =
    first?.message ??
    answer?.error?.message ??
    `the server at ${new URL(response.url).host} answered HTTP ${response.status}, not as MindPainter does`;
  // Apollo's own codes are of requests that do not fit the schema.
  const known =
    code === undefined
      ? 'INTERNAL'
      : /^(GRAPHQL_|BAD_USER_INPUT|BAD_REQUEST)/.test(code)
        ? 'BAD_REQUEST'
        : code;
  return new MindPainterError(known as ErrorCode, message, {
    field: first?.extensions?.field,
    retryAfterSeconds: retryAfter(response),
  });
}

const causeOf = (error: unknown) => {
  const { cause, code } = error as { cause?: { code?: string; message?: string }; code?: string };
  return { code: cause?.code ?? code, message: cause?.message || (error as Error).message };
};

/** An error of the connection as the SDK's own; `signal`'s reason stays what it is. */
function unreachable(error: unknown, server: URL, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof MindPainterError) return error;
  if ((error as Error).name === 'TimeoutError')
    return new MindPainterError('UNREACHABLE', `${server.origin} gave no answer in time`, { cause: error });
  const { code, message } = causeOf(error);
  const text = NEVER_SENT.has(code ?? '')
    ? `no server answers at ${server.origin}; start it (npm start), or give its address`
    : `the connection to ${server.origin} broke: ${message}`;
  return new MindPainterError('UNREACHABLE', text, { cause: error });
}

export function createTransport(options: TransportOptions): Transport {
  const server = parseServer(options.url);
  const endpoint = new URL('graphql', server);
  const session = createSession();
  const byToken: Record<string, string> =
    options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  /** Whoever has signed in counts, not the token: the server would look at the token first. */
  const identity = () => (session.cookie === undefined ? byToken : { cookie: session.cookie });
  let heard = false;
  let sockets: Client | undefined;

  async function request(address: URL, init: RequestInit, timeoutMs: number, signal?: AbortSignal) {
    // Held by its timer: in Node 20, AbortSignal.any lets go of a timeout signal that nobody else holds, and it never fires.
    const late = new AbortController();
    setTimeout(() => late.abort(new DOMException('timed out', 'TimeoutError')), timeoutMs).unref();
    try {
      const response = await fetch(address, {
        ...init,
        signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
      });
      heard = true;
      return response;
    } catch (error) {
      throw unreachable(error, server, signal);
    }
  }

  function mayRepeat(error: unknown, repeatable: boolean): boolean {
    if (hasCode(error, 'UNAVAILABLE', 'LIMIT_REACHED')) return error.errors.length === 0;
    if (!hasCode(error, 'UNREACHABLE')) return false;
    const neverSent = NEVER_SENT.has(causeOf(error.cause ?? {}).code ?? '');
    return neverSent ? heard : repeatable;
  }

  async function post<R>(query: string, variables: object, signal: AbortSignal | undefined): Promise<R> {
    const { body, type } = requestBody(query, variables);
    // The first header tells the server that no form of another site made this request.
    const headers = {
      'apollo-require-preflight': 'true',
      accept: 'application/graphql-response+json, application/json',
      ...identity(),
      ...(type ? { 'content-type': type } : {}),
    };
    const timeoutMs = options.timeoutMs * (type ? 1 : 10);
    const response = await request(endpoint, { method: 'POST', headers, body }, timeoutMs, signal);
    // A stream that is open is somebody else's after a sign-in; the next one opens a socket of its own.
    if (session.read(response.headers)) void closeSockets();
    let answer: Answer<R> | undefined;
    try {
      const text = await response.text();
      answer = text.startsWith('{') ? (JSON.parse(text) as Answer<R>) : undefined;
    } catch (error) {
      throw unreachable(error, server, signal);
    }
    if (!answer?.data || answer.errors?.length) throw toError(response, answer);
    return answer.data;
  }

  function send<R>(document: object, variables: object, options: CallOptions, repeatable: boolean) {
    return withRetries(() => post<R>(String(document), variables, options.signal), {
      tries: options.tries ?? 5,
      mayRepeat: (error) => mayRepeat(error, repeatable),
      signal: options.signal,
    });
  }

  async function closeSockets(): Promise<void> {
    const open = sockets;
    sockets = undefined;
    await open?.dispose();
  }

  function openSockets(): Client {
    const by = identity();
    let silence: NodeJS.Timeout | undefined;
    const address = new URL(endpoint);
    address.protocol = address.protocol.replace('http', 'ws');
    const client = createClient({
      url: address.href,
      // A cookie stands in the header of the request that opens the socket.
      webSocketImpl: class extends WebSocket {
        constructor(url: string, protocols?: string | string[]) {
          super(url, protocols, { headers: by });
        }
      },
      connectionParams: by,
      // Whoever watches knows better where to go on than the library does.
      retryAttempts: 0,
      keepAlive: KEEP_ALIVE_MS,
      on: {
        connected: () => {
          heard = true;
        },
        // A peer that vanished without a word is noticed by its silence.
        ping: (received) => {
          if (!received) silence = setTimeout(() => client.terminate(), KEEP_ALIVE_MS);
        },
        pong: (received) => {
          if (received) clearTimeout(silence);
        },
        closed: () => clearTimeout(silence),
      },
    });
    return client;
  }

  const mutateWhole: Transport['mutateWhole'] = async (document, variables, options) => {
    type Fields = Record<PropertyKey, unknown> & { userErrors: readonly UserError[] };
    const data = await send<Record<string, Fields>>(document, variables, options, options.repeatable);
    const payload = Object.values(data)[0]!;
    if (payload.userErrors.length > 0) throw refusal(payload.userErrors);
    return payload as never;
  };

  return {
    query: (document, variables, options = {}) => send(document, variables, options, true),
    mutateWhole,
    mutate: async (document, variables, key, options) =>
      (await mutateWhole(document, variables, options))[key] as never,
    async *subscribe<R, V extends object>(
      document: TypedDocumentString<R, V>,
      variables: V,
      signal?: AbortSignal,
    ) {
      signal?.throwIfAborted();
      sockets ??= openSockets();
      const stream = sockets.iterate<R>({
        query: String(document),
        variables: variables as Record<string, unknown>,
      });
      const stop = () => void stream.return?.();
      signal?.addEventListener('abort', stop, { once: true });
      try {
        for await (const { data, errors } of stream) {
          if (errors?.length || !data) throw errors ?? [];
          yield data;
        }
      } catch (error) {
        throw subscriptionError(error, server, signal);
      } finally {
        signal?.removeEventListener('abort', stop);
        stop();
      }
      signal?.throwIfAborted();
    },
    async open(address, signal) {
      const url = new URL(address.replace(/^\//, ''), server);
      if (url.origin !== server.origin)
        throw new MindPainterError('BAD_INPUT', `${address} is not an address of ${server.origin}`, {
          field: 'url',
        });
      const response = await request(url, { headers: identity() }, options.timeoutMs * 10, signal);
      if (response.ok) return response;
      const text = await response.text().catch(() => '');
      throw toError(response, text.startsWith('{') ? JSON.parse(text) : undefined);
    },
    isKnown: () => heard,
    close: closeSockets,
  };
}

/** Sockets throw lists of GraphQL errors, close events and plain errors. */
function subscriptionError(error: unknown, server: URL, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (Array.isArray(error)) {
    const [first] = error as NonNullable<Answer<unknown>['errors']>;
    const code = (first?.extensions?.code ?? 'INTERNAL') as ErrorCode;
    return new MindPainterError(code, first?.message ?? 'the stream sent nothing', {
      field: first?.extensions?.field,
    });
  }
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  if (code === 4401 || code === 4403)
    return new MindPainterError('UNAUTHENTICATED', 'the token is not known, has expired, or was revoked');
  const why = reason || (error as { message?: unknown }).message || code || 'closed';
  return new MindPainterError('UNREACHABLE', `the connection to ${server.origin} broke: ${why}`, {
    cause: error,
  });
}
