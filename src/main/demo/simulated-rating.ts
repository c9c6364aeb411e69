// Simulated raters who work through the public API: each has a link, sees what a person would, and answers by the planted model.

import { randomUUID } from 'node:crypto';
import type { Design } from '../../design/design.js';
import { ratingTasks } from '../../design/tasks.js';
import { createRng } from '../../random.js';
import { MindPainter, type RaterStudy } from '../../sdk/client.js';
import { type RaterModel, simulateRatings } from '../../stats/simulated-raters.js';

/** What the rater of a seat says, by the design that only whoever planned the study can make: arm and item behind a screen. */
export type Opinion = (seat: number, position: number, side: number, criterion: string) => number;

/** Opinions of all raters by the model; a check is passed, and a screen seen again is answered as before. */
export function plantOpinions(plan: Design, model: RaterModel, seed: number): Opinion {
  const key = (...parts: readonly unknown[]) => JSON.stringify(parts);
  const ratings = simulateRatings(model, ratingTasks(plan), createRng(seed));
  const known = new Map(ratings.map((r) => [key(r.rater, r.item, r.arm, r.criterion), r.value]));
  const slots = new Map(plan.slots.map((slot) => [key(slot.rater, slot.position), slot]));
  return (seat, position, side, criterion) => {
    const slot = slots.get(key(seat, position))!;
    const arm = slot.arms[side];
    if (arm === null) return slot.expected!;
    return known.get(key(String(seat), slot.item, arm, criterion)) ?? 2;
  };
}

/** An answer that was acknowledged. */
export interface Rated {
  readonly answerId: string;
  readonly ms: number;
}

export interface RaterRun {
  /** Starts, and so takes a seat. */
  start(): Promise<void>;
  /**
   * Answers every screen from seat number `seat` (0-based); loads the pictures first where `look`; sends every answer twice at
   * once where `twice`, as a queue that was offline may. Returns what was acknowledged.
   */
  rate(
    seat: number,
    opinion: Opinion,
    options: { readonly look: boolean; readonly twice?: boolean },
  ): Promise<Rated[]>;
}

/** A rater who comes by a link. */
export async function openRater(baseUrl: string, studyId: string, path: string): Promise<RaterRun> {
  const mp = new MindPainter({ url: baseUrl });
  await mp.rater.signIn(path);
  let shown: RaterStudy | undefined;
  return {
    async start() {
      const mine = (await mp.rater.myStudies()).find(({ id }) => id === studyId)!;
      shown = await mp.rater.start(studyId, mine.consentVersion);
    },
    async rate(seat, opinion, { look, twice = false }) {
      const rated: Rated[] = [];
      for (let position = 0; shown!.screen; position++) {
        const { slotId, instruction, pictures, criteria } = shown!.screen;
        if (look) for (const picture of pictures) await mp.downloads.read(picture);
        const told = /answer (\d)/.exec(instruction ?? '');
        const answers = told
          ? [{ value: Number(told[1]) }]
          : pictures
              .filter(({ role }) => role === 'CANDIDATE')
              .flatMap(({ id, side }) =>
                criteria.map(({ name }) => ({
                  pictureId: id,
                  criterion: name,
                  value: opinion(seat, position, side, name),
                })),
              );
        const answer = {
          studyId,
          tabId: shown!.tabId!,
          slotId,
          answerId: randomUUID(),
          answers,
          responseMs: 1000,
        };
        const sent = performance.now();
        const [taken] = await Promise.all(
          Array.from({ length: twice ? 2 : 1 }, () => mp.rater.answer(answer)),
        );
        rated.push({ answerId: answer.answerId, ms: performance.now() - sent });
        shown = taken!.study;
      }
      if (shown!.state !== 'FINISHED') throw new Error(`a rater ended as ${shown!.state}`);
      return rated;
    },
  };
}
