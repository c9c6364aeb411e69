// What the brain networks learn from: trials of one subject, the stimulus of each, and the stimuli's embeddings.

import type { Rng } from '../random.js';

export interface BrainData {
  readonly voxels: number;
  readonly embeddingSize: number;
  /** z-scored betas, [trials, voxels]. */
  readonly betas: Float32Array;
  /** Row of `embeddings` that each trial showed, [trials]. */
  readonly stimulusOfTrial: Int32Array;
  /** Z of each stimulus, [stimuli, embeddingSize]. */
  readonly embeddings: Float32Array;
  /** Trials of each stimulus, in the order of their rows. */
  readonly trialsOf: readonly (readonly number[])[];
}

export function createBrainData(parts: Omit<BrainData, 'trialsOf'>): BrainData {
  const trialsOf: number[][] = Array.from(
    { length: parts.embeddings.length / parts.embeddingSize },
    () => [],
  );
  parts.stimulusOfTrial.forEach((stimulus, trial) => {
    trialsOf[stimulus]!.push(trial);
  });
  return { ...parts, trialsOf };
}

/** Mean over trials, written to `row` [voxels]. */
export function averageTrials(data: BrainData, trials: readonly number[], row: Float32Array): void {
  row.fill(0);
  for (const trial of trials) {
    const at = trial * data.voxels;
    for (let v = 0; v < data.voxels; v++) row[v]! += data.betas[at + v]! / trials.length;
  }
}

/** The mean over the first `repetitions` trials of a stimulus (all, where it has fewer): [voxels]. */
export function signalOf(data: BrainData, stimulus: number, repetitions: number): Float32Array {
  const row = new Float32Array(data.voxels);
  averageTrials(data, data.trialsOf[stimulus]!.slice(0, repetitions), row);
  return row;
}

/** One, several or all trials of a stimulus: what is averaged varies in training, as it will in use. */
export function someTrials(rng: Rng, data: BrainData, stimulus: number): number[] {
  const all = rng.shuffle([...data.trialsOf[stimulus]!]);
  return all.slice(0, 1 + rng.int(all.length));
}
