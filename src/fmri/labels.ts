// BIDS labels: `01`, `sub-01` and `subj01` name one subject.

import { AppError } from '../errors.js';

/** The canonical label. Throws AppError on `field` for anything that is no alphanumeric BIDS label. */
export function canonicalLabel(
  given: string,
  field: string,
  prefixes: readonly string[] = ['sub-', 'subj', 'ses-'],
): string {
  const prefix = prefixes.find((start) => given.startsWith(start) && given.length > start.length);
  const label = prefix ? given.slice(prefix.length) : given;
  if (!/^[0-9A-Za-z]{1,32}$/.test(label)) {
    throw new AppError(
      'BAD_INPUT',
      `'${given.slice(0, 40)}' is not a label: use 1 to 32 letters and digits, as in 01 or sub-01`,
      { field },
    );
  }
  return label;
}
