// Studies and their raters for tests, by the public API.

import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Lab } from './lab.js';
import { signIn } from './people.js';

export interface UserErrorShown {
  readonly code: string;
  readonly field: string | null;
  readonly message: string;
}

/** Sends one mutation and gives its payload. */
export async function mutate<T>(
  lab: Lab,
  name: string,
  input: object,
  selection: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<T & { userErrors: UserErrorShown[] }> {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const { data, errors } = await lab.send(
    `mutation($input: ${type}!) { ${name}(input: $input) { ${selection} userErrors { code field message } } }`,
    { input },
    {},
    headers,
  );
  expect(errors).toBeUndefined();
  return data![name] as T & { userErrors: UserErrorShown[] };
}

export interface Screen {
  readonly slotId: string;
  readonly practice: boolean;
  readonly instruction: string | null;
  readonly pictures: readonly {
    readonly id: string;
    readonly role: string;
    readonly side: number;
    readonly url: string;
  }[];
  readonly criteria: readonly {
    readonly name: string;
    readonly question: string;
    readonly values: readonly string[];
  }[];
}

export interface Shown {
  readonly id: string;
  readonly state: string;
  readonly tabId: string | null;
  readonly done: number;
  readonly total: number;
  readonly closed: boolean;
  readonly criteria: Screen['criteria'];
  readonly screen: Screen | null;
  readonly ahead: readonly Screen[];
  readonly preloadUrls: readonly string[];
  readonly canUndo: boolean;
  readonly undoSeconds: number;
  readonly pauseReason: string | null;
  readonly consentVersion: string;
  readonly completionCode: string | null;
  readonly completionUrl: string | null;
}

/** Every field of RaterStudy. */
const SCREEN = 'slotId practice instruction pictures { id role side url } criteria { name question values }';
export const RATER_STUDY = `id name open closed state instructions criteria { name question values } consentVersion consentText
  tabId done total preloadUrls canUndo undoSeconds pauseReason completionCode completionUrl screen { ${SCREEN} } ahead { ${SCREEN} }`;

export interface Rater {
  readonly headers: Readonly<Record<string, string>>;
  start(consentVersion?: string | null): Promise<{ study: Shown | null; userErrors: UserErrorShown[] }>;
  submit(
    more: object,
  ): Promise<{ study: Shown | null; feedback: string | null; userErrors: UserErrorShown[] }>;
  undo(tabId: string, answerId?: string): Promise<{ study: Shown | null; userErrors: UserErrorShown[] }>;
}

/** A rater who came by the path of an invitation. */
export async function raterBy(lab: Lab, studyId: string, path: string): Promise<Rater> {
  const cookie = (await signIn(lab, path.split('#')[1]!))!.split(';')[0]!;
  const headers = { cookie };
  const selection = `study { ${RATER_STUDY} }`;
  return {
    headers,
    start: (consentVersion = '1') =>
      mutate(lab, 'startStudyRating', { studyId, consentVersion }, selection, headers),
    submit: (more) =>
      mutate(
        lab,
        'submitStudyAnswer',
        { studyId, responseMs: 900, ...more },
        `${selection} feedback`,
        headers,
      ),
    undo: (tabId, answerId = randomUUID()) =>
      mutate(lab, 'undoStudyAnswer', { studyId, tabId, answerId }, selection, headers),
  };
}

/** Answers to a screen: what `value` says of each painting and criterion, or what is instructed. */
export function answersTo(
  screen: Screen,
  value: (side: number, criterion: string) => number = () => 2,
): object[] {
  const told = /answer (\d)/.exec(screen.instruction ?? '');
  if (told) return [{ value: Number(told[1]) }];
  return screen.pictures
    .filter(({ role }) => role === 'CANDIDATE')
    .flatMap(({ id, side }) =>
      screen.criteria.map(({ name }) => ({ pictureId: id, criterion: name, value: value(side, name) })),
    );
}
