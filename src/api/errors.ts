// How errors leave the process: AppErrors as typed data, everything else as an id that the log explains.

import { randomUUID } from 'node:crypto';
import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import { type AppError, type ErrorCode, isAppError } from '../errors.js';
import type { Log } from '../log.js';

export interface UserErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field: string | null;
}

const toUserError = ({ code, message, field }: AppError): UserErrorData => ({
  code,
  message,
  field: field ?? null,
});

type Payload<Fields> = Partial<Fields> & { userErrors: UserErrorData[] };

/** Runs a mutation's action, which gives the payload's fields; an AppError becomes its userErrors, any other is thrown on. */
export async function toPayloadOf<Fields extends object>(
  action: () => Promise<Fields>,
): Promise<Payload<Fields>> {
  try {
    return { ...(await action()), userErrors: [] };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { userErrors: [toUserError(error)] } as unknown as Payload<Fields>;
  }
}

/** The same for the usual payload of one field. */
export function toPayload<K extends string, V>(
  key: K,
  action: () => Promise<V>,
): Promise<Payload<{ [P in K]: V }>> {
  return toPayloadOf(async () => ({ [key]: await action() }) as { [P in K]: V });
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
  const place = { ...(path ? { path } : {}), ...(locations ? { locations } : {}) };
  if (isAppError(cause)) {
    const { code, field } = toUserError(cause);
    return { message: cause.message, ...place, extensions: { code, ...(field ? { field } : {}) } };
  }
  if (cause instanceof Error && cause.name.startsWith('GraphQL')) {
    const code = formatted.extensions?.code ?? (cause as GraphQLError).extensions?.code ?? 'BAD_REQUEST';
    return { message: formatted.message, ...place, extensions: { code } };
  }
  const errorId = randomUUID();
  log.error({ errorId, err: cause, path }, 'a request failed');
  return {
    message: `internal error ${errorId}; the server's log says more`,
    ...place,
    extensions: { code: 'INTERNAL', errorId },
  };
}
