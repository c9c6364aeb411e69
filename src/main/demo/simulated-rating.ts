// Simulated raters who work through the public API: each has a link, sees what a person would, and answers by the planted model.

import { randomUUID } from 'node:crypto';
import type { Design } from '../../design/design.js';
import { ratingTasks } from '../../design/tasks.js';
import { createRng } from '../../random.js';
import { type RaterModel, simulateRatings } from '../../stats/simulated-raters.js';
import { type Client, createClient } from './client.js';

interface Screen {
  readonly slotId: string;
  readonly instruction: string | null;
  readonly pictures: readonly {
    readonly id: string;
    readonly role: string;
    readonly side: number;
    readonly url: string;
  }[];
  readonly criteria: readonly { readonly name: string }[];
}

interface Shown {
  readonly tabId: string;
  readonly consentVersion: string;
  readonly state: string;
  readonly screen: Screen | null;
}

const SHOWN = `study { tabId consentVersion state screen { slotId instruction pictures { id role side url } criteria { name } } }
  userErrors { code message field }`;

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

/** The session's cookie of a rater's link. */
async function signIn(baseUrl: string, path: string): Promise<string> {
  const response = await fetch(new URL('/graphql', baseUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query: 'mutation($input: SignInInput!) { signIn(input: $input) { userErrors { message } } }',
      variables: { input: { secret: path.split('#')[1] } },
    }),
  });
  const cookie = response.headers.get('set-cookie');
  if (!cookie) throw new Error(`the link was refused: ${await response.text()}`);
  return cookie.split(';')[0]!;
}

export interface RaterRun {
  readonly client: Client;
  readonly cookie: string;
  /** Starts, and so takes a seat. */
  start(): Promise<void>;
  /**
   * Answers every screen from seat number `seat` (0-based); loads the pictures first where `look`; sends every answer twice at
   * once where `twice`, as a queue that was offline may. Returns the times of the answers in ms.
   */
  rate(
    seat: number,
    opinion: Opinion,
    options: { readonly look: boolean; readonly twice?: boolean },
  ): Promise<number[]>;
}

/** A rater who comes by a link. */
export async function openRater(baseUrl: string, studyId: string, path: string): Promise<RaterRun> {
  const cookie = await signIn(baseUrl, path);
  const client = createClient(baseUrl, { cookie });
  let shown: Shown | undefined;
  return {
    client,
    cookie,
    async start() {
      const { myStudies } = await client.send<{ myStudies: { id: string; consentVersion: string }[] }>(
        '{ myStudies { id consentVersion } }',
      );
      const { consentVersion } = myStudies.find(({ id }) => id === studyId)!;
      const { startStudyRating } = await client.send<{ startStudyRating: { study: Shown } }>(
        `mutation($input: StartStudyRatingInput!) { startStudyRating(input: $input) { ${SHOWN} } }`,
        { input: { studyId, consentVersion } },
      );
      shown = startStudyRating.study;
    },
    async rate(seat, opinion, { look, twice = false }) {
      const times: number[] = [];
      for (let position = 0; shown!.screen; position++) {
        const { slotId, instruction, pictures, criteria } = shown!.screen;
        if (look) for (const { url } of pictures) await client.download(url);
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
          tabId: shown!.tabId,
          slotId,
          answerId: randomUUID(),
          answers,
          responseMs: 1000,
        };
        const send = () =>
          client.send<{ submitStudyAnswer: { study: Shown } }>(
            `mutation($input: SubmitStudyAnswerInput!) { submitStudyAnswer(input: $input) { ${SHOWN} } }`,
            { input: answer },
          );
        const sent = performance.now();
        const [{ submitStudyAnswer }] = await Promise.all(twice ? [send(), send()] : [send()]);
        times.push(performance.now() - sent);
        shown = submitStudyAnswer.study;
      }
      if (shown!.state !== 'FINISHED') throw new Error(`a rater ended as ${shown!.state}`);
      return times;
    },
  };
}
