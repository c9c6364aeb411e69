// The one error of the SDK: what the API refused, or why it could not be asked.

import type { ErrorCode as ApiErrorCode, ErrorFieldsFragment } from '../generated/operations.js';

/** Reasons of the API as they stand in its schema, and those that only a client meets. */
export type ErrorCode =
  | ApiErrorCode
  /** The request itself was not understood, such as a document with an unknown field. */
  | 'BAD_REQUEST'
  /** A fault of the server; its log says more under the id in the message. */
  | 'INTERNAL'
  /** The job's deadline passed before it started. */
  | 'ABORTED'
  /** No answer came: there is no server, or the connection broke and did not come back. */
  | 'UNREACHABLE'
  /** The time that the caller gave is over; what was asked for may still happen. */
  | 'TIMEOUT'
  /** A file on this machine cannot be read or written. */
  | 'LOCAL_FILE';

/** One reason of a refusal; a batch may have several, told apart by `index`. */
export type UserError = ErrorFieldsFragment;

/** What went wrong, for programs (`code`, `field`) and people (`message`). */
export class MindPainterError extends Error {
  readonly code: ErrorCode;
  /** The input field at fault, where one is. */
  readonly field: string | undefined;
  /** Where it passes with time: in how many seconds. */
  readonly retryAfterSeconds: number | undefined;
  /** All reasons, where the API gave several; the first one is this error's own. */
  readonly errors: readonly UserError[];

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      field?: string | null | undefined;
      retryAfterSeconds?: number | null | undefined;
      errors?: readonly UserError[];
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'MindPainterError';
    this.code = code;
    this.field = options.field ?? undefined;
    this.retryAfterSeconds = options.retryAfterSeconds ?? undefined;
    this.errors = options.errors ?? [];
  }
}

/** True for an error of one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is MindPainterError {
  return error instanceof MindPainterError && codes.includes(error.code);
}

/** The error of a refusal with reasons. */
export function refusal(errors: readonly UserError[]): MindPainterError {
  const [first] = errors;
  if (!first) throw new Error('a refusal has a reason');
  const { code, message, field, retryAfterSeconds } = first;
  return new MindPainterError(code, message, { field, retryAfterSeconds, errors });
}
