// How a command ends when the user can mend what is wrong: by its reason, without a stack.

import { isAppError } from '../errors.js';

/** Ends the process with 1 and the reason for an AppError; throws any other error on. */
export function endProgram(error: unknown): never {
  if (!isAppError(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
