// The one error type for outcomes that a caller can act on. Faults of ours are plain Errors and are never shown.

/** Machine-readable reasons; the API exposes them as they stand. */
export type ErrorCode =
  | 'BAD_INPUT'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'TOO_LARGE'
  | 'UNSUPPORTED'
  | 'CORRUPT'
  | 'CANCELLED'
  | 'UNAVAILABLE'
  | 'LIMIT_REACHED';

/** An outcome that the caller can act on: what is wrong, in which field, and what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  /** Where it passes with time: in how many seconds, as far as that can be told. */
  readonly retryAfterSeconds: number | undefined;
  /** Of what was to be changed, where another version was expected. */
  readonly currentVersion: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      field?: string;
      cause?: unknown;
      retryAfterSeconds?: number | undefined;
      currentVersion?: number;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.field = options.field;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.currentVersion = options.currentVersion;
  }
}

/** True for errors whose message may be shown to a caller. */
export function isAppError(error: unknown): error is AppError {
  return error instanceof AppError;
}
