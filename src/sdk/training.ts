// Training runs: start, watch, pause, resume, cancel.

import {
  CancelTrainingRunDocument,
  CreateTrainingRunDocument,
  type CreateTrainingRunInput,
  LastLossDocument,
  PauseTrainingRunDocument,
  ResumeTrainingRunDocument,
  type RunFieldsFragment,
  TrainingRunDocument,
  type TrainingRunState,
  TrainingRunUpdatedDocument,
} from '../generated/operations.js';
import { MindPainterError } from './errors.js';
import { type FollowOptions, follow } from './follow.js';
import type { CallOptions, Transport } from './transport.js';

export type TrainingRun = RunFieldsFragment;
export type { CreateTrainingRunInput, TrainingRunState };

export type Training = ReturnType<typeof createTraining>;

/** True once a run does nothing more by itself: it has ended, or waits for its owner. */
export const rests = (state: TrainingRunState) => state !== 'QUEUED' && state !== 'RUNNING';

export function createTraining(transport: Transport) {
  async function get(id: string, options: CallOptions = {}): Promise<TrainingRun> {
    const { trainingRun } = await transport.query(TrainingRunDocument, { id }, options);
    if (!trainingRun)
      throw new MindPainterError('NOT_FOUND', `no training run has the id ${id}`, { field: 'id' });
    return trainingRun;
  }

  const act =
    (document: typeof PauseTrainingRunDocument) =>
    (id: string, options: CallOptions = {}): Promise<TrainingRun> =>
      transport.mutate(document, { input: { id } }, 'trainingRun', { ...options, repeatable: true });

  return {
    get,

    /** Queues a run: a subject's sessions and a base model become a model of that subject. */
    create: (input: CreateTrainingRunInput, options: CallOptions = {}): Promise<TrainingRun> =>
      transport.mutate(CreateTrainingRunDocument, { input }, 'trainingRun', {
        ...options,
        repeatable: false,
      }),

    /** The run now, after each change, and at last paused or ended. Lost connections are opened again. */
    watch(id: string, options: FollowOptions = {}): AsyncGenerator<TrainingRun, void> {
      const { signal } = options;
      return follow<TrainingRun>(
        {
          async *live() {
            const stream = transport.subscribe(TrainingRunUpdatedDocument, { id }, signal);
            for await (const { trainingRunUpdated } of stream) yield trainingRunUpdated;
          },
          poll: async () => [await get(id, { signal, tries: 1 })],
          isKnown: transport.isKnown,
          isLast: (run) => rests(run.state),
        },
        options,
      );
    },

    /** The latest loss of a stage, or undefined where none was stored yet. */
    async lastLoss(id: string, stage: string, options: CallOptions = {}): Promise<number | undefined> {
      const { trainingRun } = await transport.query(LastLossDocument, { id, stage }, options);
      return trainingRun?.points.at(-1)?.value;
    },

    /** Asks a run to stop between two steps and to keep what it has learnt. */
    pause: act(PauseTrainingRunDocument),
    /** Queues a paused or failed run again, from its checkpoint. */
    resume: act(ResumeTrainingRunDocument as never),
    /** Ends a run and removes its checkpoints. */
    cancel: act(CancelTrainingRunDocument as never),
  };
}
