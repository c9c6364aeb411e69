// The API as the pages speak it: one document a call, over HTTP, with every failure as an ApiError.

import type { ErrorCode, TypedDocumentString } from '../generated/web-operations.js';

/** The API's reasons, and two of the way there: no answer came, or one that is a fault of the server's. */
export type Reason = ErrorCode | 'UNREACHABLE' | 'INTERNAL';

export class ApiError extends Error {
  readonly code: Reason;
  readonly field: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(code: Reason, message: string, field?: string | null, retryAfterSeconds?: number | null) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.field = field ?? null;
    this.retryAfterSeconds = retryAfterSeconds ?? null;
  }
}

interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field: string | null;
  readonly retryAfterSeconds: number | null;
}

interface Answer<R> {
  readonly data?: R | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string; readonly retryAfterSeconds?: number };
  }[];
}

const TIMEOUT_MS = 30_000;
const KNOWN: readonly string[] = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'UNAVAILABLE',
  'LIMIT_REACHED',
];

/** Sends a document. Throws ApiError. */
export async function ask<R, V>(document: TypedDocumentString<R, V>, variables: V): Promise<R> {
  let status: number;
  let answer: Answer<R>;
  try {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: String(document), variables }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = response.status;
    answer = (await response.json()) as Answer<R>;
  } catch (error) {
    throw new ApiError('UNREACHABLE', (error as Error).message);
  }
  const [first] = answer.errors ?? [];
  if (!first && answer.data) return answer.data;
  const { code = status === 401 ? 'UNAUTHENTICATED' : 'INTERNAL', retryAfterSeconds } =
    first?.extensions ?? {};
  const reason = KNOWN.includes(code) ? (code as ErrorCode) : 'INTERNAL';
  throw new ApiError(reason, first?.message ?? 'no answer', null, retryAfterSeconds);
}

/** Sends a mutation and gives its payload; a refusal is thrown as ApiError. */
export async function mutate<R extends object, V>(
  document: TypedDocumentString<R, V>,
  variables: V,
): Promise<R[keyof R]> {
  const payload = Object.values(await ask(document, variables))[0] as R[keyof R] & {
    readonly userErrors: readonly Refusal[];
  };
  const [refusal] = payload.userErrors;
  if (!refusal) return payload;
  throw new ApiError(refusal.code, refusal.message, refusal.field, refusal.retryAfterSeconds);
}
