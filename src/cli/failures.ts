// How a command ends when it does not do what it was asked for.

import { type ErrorCode, MindPainterError } from '../sdk/client.js';
import type { Output } from './output.js';

/** Exit codes; docs/guides/program.md lists them. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  notSignedIn: 4,
  unreachable: 5,
  interrupted: 130,
} as const;

/** The command line itself is wrong. */
export class UsageError extends Error {}

/** One fault of a file of jobs. */
export interface LineFault {
  readonly line: number;
  readonly field?: string | undefined;
  readonly message: string;
}

/** Several lines of a file are wrong; nothing was done. */
export class LineFaults extends Error {
  readonly faults: readonly LineFault[];
  readonly file: string;
  constructor(file: string, faults: readonly LineFault[]) {
    super(`${faults.length} faults in ${file}; nothing was submitted`);
    this.file = file;
    this.faults = faults;
  }
}

const EXIT_OF_CODE: Partial<Record<ErrorCode, number>> = {
  NOT_FOUND: EXIT.notFound,
  UNAUTHENTICATED: EXIT.notSignedIn,
  FORBIDDEN: EXIT.notSignedIn,
  UNREACHABLE: EXIT.unreachable,
};

/** Says what went wrong and gives the exit code. Errors that are no one's input are faults of ours and keep their stack. */
export function report(error: unknown, out: Output, json: boolean): number {
  if (error instanceof UsageError) {
    out.fault(error.message);
    return EXIT.usage;
  }
  if (error instanceof LineFaults) {
    for (const { line, field, message } of error.faults)
      out.fault(`${error.file}:${line}: ${field ? `${field}: ` : ''}${message}`);
    out.fault(error.message);
    if (json) out.data({ errors: error.faults }, []);
    return EXIT.failure;
  }
  if (!(error instanceof MindPainterError)) throw error;
  const { code, message, field, retryAfterSeconds } = error;
  const hint = code === 'UNAUTHENTICATED' ? '; sign in with: mindpainter login' : '';
  out.fault(`${field ? `${field}: ` : ''}${message}${hint}`);
  if (json) out.data({ error: { code, message, field, retryAfterSeconds } }, []);
  return EXIT_OF_CODE[code] ?? EXIT.failure;
}
