// What can be done with studies, by those who lead and by those who rate.

import { AppError } from '../../errors.js';
import type { CreateStudyInput, MutationResolvers } from '../../generated/graphql.js';
import {
  closeStudy,
  findStudy,
  openStudy,
  pauseStudy,
  pilotStudy,
  unsealStudy,
} from '../../services/studies.js';
import { createStudy, type StudyOrder } from '../../services/study-creation.js';
import { inviteRaters, judgeRater } from '../../services/study-raters.js';
import { startRating, submitAnswer, undoAnswer } from '../../services/study-rating.js';
import { toPayload, toPayloadOf } from '../errors.js';
import { decodeId, isUuid } from '../ids.js';

type Given<T> = { [K in keyof T]: Exclude<T[K], null> };

/** null as absent. */
function given<T extends object>(input: T): Given<T> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null)) as Given<T>;
}

function toStudyOrder(input: CreateStudyInput): StudyOrder {
  const { benchmarkId, previousId, criteria, ...rest } = given(input);
  return {
    ...rest,
    criteria: criteria?.map(given),
    benchmarkId: decodeId('Benchmark', benchmarkId, 'benchmarkId'),
    previousId: previousId === undefined ? undefined : decodeId('Study', previousId, 'previousId'),
  };
}

/** The key in an id that is no Node's. Throws AppError NOT_FOUND on `field`. */
function keyIn(id: string, field: string, prefix = ''): string {
  const key = id.startsWith(prefix) ? id.slice(prefix.length) : '';
  if (isUuid(key)) return key;
  throw new AppError('NOT_FOUND', 'nothing has this id', { field });
}

const studyId = (id: string, field = 'studyId') => decodeId('Study', id, field);

export const studyMutations: Pick<
  MutationResolvers,
  | 'createStudy'
  | 'pilotStudy'
  | 'openStudy'
  | 'pauseStudy'
  | 'closeStudy'
  | 'unsealStudy'
  | 'inviteStudyRaters'
  | 'judgeStudyRater'
  | 'startStudyRating'
  | 'submitStudyAnswer'
  | 'undoStudyAnswer'
> = {
  createStudy: (_, { input }, { services }) =>
    toPayload('study', async () => createStudy(services, toStudyOrder(input))),
  pilotStudy: (_, { input }, { services }) =>
    toPayload('study', async () => {
      const { seed, difference, studies } = input;
      return pilotStudy(services, studyId(input.id, 'id'), {
        seed: seed ?? 1,
        difference: difference ?? 0.5,
        studies: studies ?? 20,
      });
    }),
  openStudy: (_, { input }, { services }) =>
    toPayload('study', async () => openStudy(services, studyId(input.id, 'id'))),
  pauseStudy: (_, { input }, { services }) =>
    toPayload('study', async () => pauseStudy(services, studyId(input.id, 'id'))),
  closeStudy: (_, { input }, { services }) =>
    toPayload('study', async () => closeStudy(services, studyId(input.id, 'id'))),
  unsealStudy: (_, { input }, { services }) =>
    toPayload('study', async () => unsealStudy(services, studyId(input.id, 'id'))),
  inviteStudyRaters: (_, { input }, { services }) =>
    toPayload('invitations', async () =>
      inviteRaters(services, {
        studyId: studyId(input.studyId),
        names: input.names ?? undefined,
        count: input.count ?? undefined,
        expiresInDays: input.expiresInDays ?? 30,
      }),
    ),
  judgeStudyRater: (_, { input }, { services }) =>
    toPayload('study', async () => {
      const { verdict, reason } = input;
      const id = studyId(input.studyId);
      await judgeRater(services, {
        studyId: id,
        raterId: keyIn(input.raterId, 'raterId', 'StudyRater_'),
        verdict,
        reason,
      });
      return (await findStudy(services, id))!;
    }),
  startStudyRating: (_, { input }, { services }) =>
    toPayload('study', async () =>
      startRating(services, {
        studyId: studyId(input.studyId),
        consentVersion: input.consentVersion ?? undefined,
      }),
    ),
  submitStudyAnswer: (_, { input }, { services }) =>
    toPayloadOf({ study: null, feedback: null }, async () =>
      submitAnswer(services, {
        studyId: studyId(input.studyId),
        tabId: keyIn(input.tabId, 'tabId'),
        slotId: keyIn(input.slotId, 'slotId'),
        answerId: input.answerId,
        answers: input.answers.map(({ pictureId, criterion, value }) => ({
          pictureId: pictureId ?? undefined,
          criterion: criterion ?? undefined,
          value,
        })),
        responseMs: input.responseMs ?? undefined,
      }),
    ),
  undoStudyAnswer: (_, { input }, { services }) =>
    toPayload('study', async () =>
      undoAnswer(services, {
        studyId: studyId(input.studyId),
        tabId: keyIn(input.tabId, 'tabId'),
        answerId: input.answerId,
      }),
    ),
};
