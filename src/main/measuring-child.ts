// The measuring child: compares the paintings of one benchmark, and sums up. It knows no database and no network.

import { measureCells } from '../jobs/measure-cells.js';
import { summariseMeasurement } from '../jobs/measure-summary.js';
import type { MeasureEvent, MeasureRequest } from '../jobs/measuring-messages.js';
import { serveChild } from '../runtime/serve-child.js';
import { openBlobs } from '../store/blobs.js';

serveChild<MeasureRequest, MeasureEvent>(async (request, tell, abort, alive) => {
  if (request.task === 'measure')
    return measureCells(request, openBlobs(request.blobFolder), tell, abort, alive);
  tell({ type: 'results', results: summariseMeasurement(request) });
});
