// How errors leave the process: AppErrors as typed data, everything else as an id that the log explains.

import { randomUUID } from 'node:crypto';
import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import { type AppError, type ErrorCode, isAppError } from '../errors.js';
import type { Log } from '../log.js';
import { graphqlErrors } from '../telemetry/metrics.js';

export interface UserErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field: string | null;
  readonly index?: number;
  readonly retryAfterSeconds?: number | null;
  readonly currentVersion?: number | null;
}

/** What the GraphQL libraries say; other codes are counted together. */
const KNOWN_CODES = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'PERSISTED_QUERY_NOT_FOUND',
  'OPERATION_RESOLUTION_FAILURE',
  'TOO_LARGE',
  'LIMIT_REACHED',
]);

export const toUserError = (error: AppError): UserErrorData => ({
  code: error.code,
  message: error.message,
  field: error.field ?? null,
  retryAfterSeconds: error.retryAfterSeconds ?? null,
  currentVersion: error.currentVersion ?? null,
});

/** As toPayload, for payloads of several fields: `empty` is what they are when the action throws an AppError. */
export async function toPayloadOf<Empty extends object, Full extends object>(
  empty: Empty,
  action: () => Promise<Full>,
): Promise<(Full | Empty) & { userErrors: UserErrorData[] }> {
  try {
    return { userErrors: [], ...(await action()) };
  } catch (error) {
    if (!isAppError(error)) throw error;
    graphqlErrors.inc({ kind: 'payload', code: error.code });
    return { ...empty, userErrors: [toUserError(error)] };
  }
}

/** Runs a mutation's action; an AppError becomes the payload's userErrors, any other error is thrown on. */
export async function toPayload<K extends string, V>(
  key: K,
  action: () => Promise<V>,
): Promise<{ [P in K]: V | null } & { userErrors: UserErrorData[] }> {
  type Payload = { [P in K]: V | null } & { userErrors: UserErrorData[] };
  try {
    return { [key]: await action(), userErrors: [] } as unknown as Payload;
  } catch (error) {
    if (!isAppError(error)) throw error;
    graphqlErrors.inc({ kind: 'payload', code: error.code });
    return { [key]: null, userErrors: [toUserError(error)] } as unknown as Payload;
  }
}

/** GraphQL's own errors and Apollo's, which carry their code: what is wrong with a request, in words for its sender. */
const isGraphQLError = (cause: unknown): cause is GraphQLError =>
  cause instanceof Error &&
  (cause.name.startsWith('GraphQL') || typeof (cause as Partial<GraphQLError>).extensions?.code === 'string');

/**
 * What passes by itself: no transaction could begin in time (P2028), and what Postgres rolls back or refuses when much goes on
 * at once: serialisation, deadlock (Prisma's P2034), too many connections, a lock or a statement that took too long, a start.
 */
const PASSING = new Set(['P2028', 'P2034', '40001', '40P01', '53300', '55P03', '57014', '57P03']);
/** The driver's words when no connection came free, or none could be opened, in time. */
const NO_CONNECTION =
  /^(?:timeout exceeded when trying to connect|Connection terminated due to connection timeout)/;

interface DatabaseError extends Error {
  readonly code?: string;
  /** Where Prisma keeps what Postgres said. */
  readonly meta?: { readonly driverAdapterError?: { readonly cause?: { readonly originalCode?: string } } };
}

/** The database could not do it now, and did none of it. */
function isBusy(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const { code = '', meta, message } = cause as DatabaseError;
  const sqlState = meta?.driverAdapterError?.cause?.originalCode ?? '';
  return PASSING.has(code) || PASSING.has(sqlState) || NO_CONNECTION.test(message);
}

/** An error as a caller may see it. Faults of ours are logged under an id, and only the id is shown. */
export function formatError(
  log: Log,
  formatted: GraphQLFormattedError,
  error: unknown,
): GraphQLFormattedError {
  // By shape, not by class: GraphQL libraries may carry a copy of the class of their own.
  const wrapper = error as Partial<GraphQLError>;
  const cause: unknown = wrapper.originalError ?? error;
  const { path, locations } = formatted;
  const counted = (code: string) => graphqlErrors.inc({ kind: 'response', code });
  const place = { ...(path ? { path } : {}), ...(locations ? { locations } : {}) };
  if (isAppError(cause)) {
    const { code, field } = cause;
    counted(code);
    return { message: cause.message, ...place, extensions: { code, ...(field ? { field } : {}) } };
  }
  if (isGraphQLError(cause)) {
    const { code: given = 'BAD_REQUEST', retryAfterSeconds } = {
      ...cause.extensions,
      ...formatted.extensions,
    };
    // The parser has no code of its own for a document that goes on for too long.
    const code = /more tha[nt] \d+ tokens/.test(formatted.message) ? 'TOO_LARGE' : given;
    counted(KNOWN_CODES.has(String(code)) ? String(code) : 'OTHER');
    const wait = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
    return { message: formatted.message, ...place, extensions: { code, ...wait } };
  }
  if (isBusy(cause)) {
    counted('UNAVAILABLE');
    log.warn({ err: cause, path }, 'the database could not do it now');
    const message = 'the server has more to do than it can; nothing was done, try again later';
    return { message, ...place, extensions: { code: 'UNAVAILABLE' } };
  }
  counted('INTERNAL');
  const errorId = randomUUID();
  log.error({ errorId, err: cause, path }, 'a request failed');
  return {
    message: `internal error ${errorId}; the server's log says more`,
    ...place,
    extensions: { code: 'INTERNAL', errorId },
  };
}
