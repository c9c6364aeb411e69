// What every service needs of the world outside, handed in by the composition roots, and who asks it.

import type { Blobs } from '../store/blobs.js';
import type { Store } from '../store/client.js';
import type { Viewer } from './access.js';

export interface Services {
  readonly store: Store;
  readonly blobs: Blobs;
  /** Paint jobs that one person may have waiting or running; absent: 20,000. */
  readonly maxUnfinishedJobs?: number;
  /** Whether webhooks may go to this machine and its private network; absent: not. */
  readonly privateWebhooks?: boolean;
  /** Key of the HMAC under which secrets are stored; secrets made under another key are unknown. */
  readonly secretKey: string;
  /** Who asks: what access.ts decides by and audit.ts writes down. */
  readonly viewer: Viewer;
}
