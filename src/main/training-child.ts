// The training child: trains one bundle at a lower priority and reports. It knows no database and no network.

import { constants, setPriority } from 'node:os';
import { trainBundle } from '../jobs/train-bundle.js';
import type { TrainEvent, TrainMessage } from '../jobs/training-messages.js';
import { serveChild } from '../runtime/serve-child.js';
import { openBlobs } from '../store/blobs.js';

// Paintings and the API's answers come first.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

serveChild<TrainMessage, TrainEvent>((request, tell, abort) =>
  trainBundle(request, openBlobs(request.blobFolder), tell, abort),
);
