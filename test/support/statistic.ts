// Tests look inside tagged results: the value, or a failure that says why there is none.

import type { Statistic } from '../../src/stats/statistic.js';

/** The value of a statistic; throws its reason where it is UNDEFINED. */
export function mustHave<T>(statistic: Statistic<T>): T {
  if (statistic.status === 'UNDEFINED') throw new Error(statistic.reason);
  return statistic.value;
}
