// Scans of the simulated subject, sent through the API as a lab would send its own.

import { writeNpy } from '../../fmri/npy.js';
import { createRng } from '../../random.js';
import type { MindPainter } from '../../sdk/client.js';
import type { SceneSpec } from '../../toy/scene.js';
import { simulateSessions } from '../../toy/subject.js';
import { toySubject } from '../toy/brain-data.js';
import { TOY } from '../toy/settings.js';

export interface Stimulus {
  readonly name: string;
  readonly spec: SceneSpec;
}

export interface ScanPlan {
  /** Session labels are this and a number. */
  readonly prefix: string;
  /** Sessions, each with every stimulus once. */
  readonly repetitions: number;
  readonly seed: number;
}

/** Uploads the subject's sessions with these stimuli; gives the ids of the trials of each, by the stimulus' name. */
export async function uploadSimulatedScans(
  mp: MindPainter,
  stimuli: readonly Stimulus[],
  { prefix, repetitions, seed }: ScanPlan,
  say: (line: string) => void = () => {},
): Promise<Map<string, string[]>> {
  const { id: subjectId } = await mp.subjects.create('01', { simulated: true });
  const trialsOf = new Map<string, string[]>();
  const specs = stimuli.map(({ spec }) => spec);
  for (const { label, trials, betas } of simulateSessions(
    toySubject(),
    specs,
    repetitions,
    createRng(seed),
  )) {
    const rows = trials.map((trial) => `${stimuli[trial.stimulus]!.name},${trial.repetition}`);
    const session = await mp.subjects.importSession({
      subjectId,
      label: `${prefix}${label}`,
      betas: writeNpy(betas, [trials.length, TOY.voxels]),
      trials: Buffer.from(['stimulus,repetition', ...rows].join('\n')),
    });
    for await (const trial of mp.subjects.trials({ sessionId: session.id }))
      trialsOf.set(trial.stimulus, [...(trialsOf.get(trial.stimulus) ?? []), trial.id]);
    say(`uploaded session ${label}: ${trials.length} trials x ${TOY.voxels} voxels (simulated)`);
  }
  return trialsOf;
}
