// Input of paint jobs as the services take it: ids decoded, null as absent.

import type { PaintJobFieldsInput, SubmitPaintJobInput, SubmitPaintJobsInput } from '../generated/graphql.js';
import type { Viewer } from '../services/access.js';
import type { BatchOrder, PaintJobFields, PaintJobOrder } from '../services/paint-job-orders.js';
import type { SubmissionFacts } from '../services/paint-job-submission.js';
import type { EventChoice } from '../services/paint-job-watch.js';
import { decodeId } from './ids.js';

export function toOrder(input: SubmitPaintJobInput): PaintJobOrder {
  return {
    imageId: decodeId('SourceImage', input.imageId, 'imageId'),
    maskId: decodeId('Mask', input.maskId, 'maskId'),
    trialIds: input.trialIds.map((id) => decodeId('Trial', id, 'trialIds')),
    modelId: decodeId('Model', input.modelId, 'modelId'),
    method: input.method ?? 'BRAIN',
    seed: input.seed ?? 0,
    steps: input.steps ?? undefined,
    guidanceScale: input.guidanceScale ?? undefined,
    paintingCount: input.paintingCount ?? 1,
  };
}

/** An id that is none of ours becomes one that nothing has: the fault is then told with the job's index. */
function keyOf(type: 'SourceImage' | 'Mask' | 'Trial' | 'Model', id: string): string {
  try {
    return decodeId(type, id, '');
  } catch {
    return NOTHING;
  }
}
const NOTHING = '00000000-0000-0000-0000-000000000000';

function toFields(input: PaintJobFieldsInput): PaintJobFields {
  const { imageId, maskId, modelId, trialIds } = input;
  return {
    imageId: imageId == null ? undefined : keyOf('SourceImage', imageId),
    maskId: maskId == null ? undefined : keyOf('Mask', maskId),
    trialIds: trialIds?.map((id) => keyOf('Trial', id)),
    modelId: modelId == null ? undefined : keyOf('Model', modelId),
    method: input.method ?? undefined,
    seed: input.seed ?? undefined,
    steps: input.steps ?? undefined,
    guidanceScale: input.guidanceScale ?? undefined,
    paintingCount: input.paintingCount ?? undefined,
  };
}

export function toBatchOrder({ common, axes, runs }: SubmitPaintJobsInput): BatchOrder {
  return {
    common: toFields(common ?? {}),
    axes: (axes ?? []).map((axis) => axis.map(toFields)),
    runs: runs ?? 1,
  };
}

interface FactsInput {
  readonly idempotencyKey?: string | null | undefined;
  readonly priority?: number | null | undefined;
  readonly startWithinSeconds?: number | null | undefined;
}

export function toFacts(input: FactsInput, viewer: Viewer): SubmissionFacts {
  return {
    // Without a name nobody is signed in, and nothing is stored.
    submittedBy: viewer.name ?? '',
    idempotencyKey: input.idempotencyKey ?? undefined,
    priority: input.priority ?? undefined,
    startWithinSeconds: input.startWithinSeconds ?? undefined,
  };
}

export function toEventChoice(input: {
  readonly paintJobId?: string | null | undefined;
  readonly batchId?: string | null | undefined;
}): EventChoice {
  const { paintJobId, batchId } = input;
  return {
    jobId: paintJobId == null ? undefined : decodeId('PaintJob', paintJobId, 'paintJobId'),
    batchId: batchId == null ? undefined : decodeId('PaintJobBatch', batchId, 'batchId'),
  };
}
