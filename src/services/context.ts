// What every service needs of the world outside, handed in by the composition roots.

import type { Blobs } from '../store/blobs.js';
import type { Store } from '../store/client.js';

export interface Services {
  readonly store: Store;
  readonly blobs: Blobs;
  /** Paint jobs that one person may have waiting or running; absent: 20,000. */
  readonly maxUnfinishedJobs?: number;
}
