// How much of what was seen survives in the adapted signals of held-out stimuli: retrieval, and the kind of object.

import { cosineSimilarities, type Retrieval, retrieval, twoWayIdentification } from '../../metrics/brain.js';
import type { Rng } from '../../random.js';
import { openSession } from '../../runtime/session.js';
import { KINDS } from '../../toy/kinds.js';
import { signalOf } from '../../train/brain-data.js';
import { mapRows, rowsOf } from '../../train/rows.js';
import type { SimulatedData } from './brain-data.js';

export interface Readout {
  readonly repetitions: number;
  readonly retrieval: Retrieval;
  /** Share of wrong candidates that lie farther (cosine) than the right one; chance 0.5. */
  readonly identification: number;
  /** Share of signals that lie nearest (cosine) to the mean embedding of their own kind; chance 1/12. */
  readonly kindAccuracy: number;
}

export async function measureReadout(
  data: SimulatedData,
  brainAdapter: Uint8Array,
  repetitions: number,
  rng: Rng,
  options: { threads?: number } = {},
): Promise<Readout> {
  const { voxels, embeddingSize, embeddings, specs } = data;
  const all = specs.map((_, i) => i);
  const session = await openSession(brainAdapter, options);
  const signals = rowsOf(all, voxels, (i, row) => row.set(signalOf(data, i, repetitions)));
  const adapted = await mapRows(session, signals.data as Float32Array, [voxels]);
  await session.close();
  const kinds = specs.map((spec) => KINDS.indexOf(spec.objects[0]!.kind));
  const centroids = new Float32Array(KINDS.length * embeddingSize);
  kinds.forEach((kind, i) => {
    for (let k = 0; k < embeddingSize; k++)
      centroids[kind * embeddingSize + k]! += embeddings[i * embeddingSize + k]!;
  });
  const toCentroids = cosineSimilarities(adapted, centroids, embeddingSize);
  const hits = kinds.filter((kind, i) => {
    const row = toCentroids.subarray(i * KINDS.length, (i + 1) * KINDS.length);
    return row.indexOf(Math.max(...row)) === kind;
  });
  const toEmbeddings = cosineSimilarities(adapted, embeddings, embeddingSize);
  return {
    repetitions,
    retrieval: retrieval(toEmbeddings, specs.length, (n) => rng.int(n)),
    identification: twoWayIdentification(toEmbeddings, specs.length),
    kindAccuracy: hits.length / specs.length,
  };
}
