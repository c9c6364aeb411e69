// The ratings that a design asks for, one by one: what progress is counted against and what simulated raters answer.

import type { Design, Slot } from './design.js';

/** One answer that is due: rater and slot as in the design, an arm and a criterion. */
export interface DesignTask {
  readonly rater: string;
  readonly item: string;
  readonly arm: string;
  readonly criterion: string;
  readonly slot: Slot;
}

/** The ratings of the study proper, in each rater's order; practice and catch trials are not among them. */
export function ratingTasks({ slots, raters }: Design): DesignTask[] {
  return slots
    .filter(({ kind }) => kind === 'RATING')
    .flatMap((slot) =>
      slot.arms.flatMap((arm) =>
        raters[slot.rater]!.criteria.map((criterion) => ({
          rater: String(slot.rater),
          item: slot.item!,
          arm: arm!,
          criterion,
          slot,
        })),
      ),
    );
}
