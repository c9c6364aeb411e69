// The rater's side: sign in by a personal link, agree, answer screen after screen, take an answer back.

import { randomUUID } from 'node:crypto';
import {
  MyStudiesDocument,
  type RaterStudyFieldsFragment,
  SignInDocument,
  type SignInMutation,
  SignOutDocument,
  StartStudyRatingDocument,
  SubmitStudyAnswerDocument,
  type SubmitStudyAnswerInput,
  UndoStudyAnswerDocument,
  type UndoStudyAnswerInput,
} from '../generated/operations.js';
import type { CallOptions, Transport } from './transport.js';

/** A study as its rater may know it, with the screen to answer now. */
export type RaterStudy = RaterStudyFieldsFragment;
export type RaterScreen = NonNullable<RaterStudy['screen']>;
/** Who has signed in. */
export type SignedIn = NonNullable<SignInMutation['signIn']['viewer']>;

/** What is drawn where it is left out: the id by which an answer that is sent again is known to be the same. */
type WithId<I extends { answerId: string }> = Omit<I, 'answerId'> & { readonly answerId?: string };

export type Rater = ReturnType<typeof createRater>;

export function createRater(transport: Transport) {
  const repeatable = (options: CallOptions) => ({ ...options, repeatable: true });
  const keyed = <I extends { readonly answerId?: string }>(input: I) => ({
    input: { ...input, answerId: input.answerId ?? randomUUID() },
  });

  return {
    /**
     * Starts a session by a rater's link (its address, its path or what follows the `#`) or an API token. From then on this
     * client asks as that person, whatever token it was made with, until `signOut`.
     */
    signIn: (link: string, options: CallOptions = {}): Promise<SignedIn> =>
      transport.mutate(
        SignInDocument,
        { input: { secret: link.slice(link.indexOf('#') + 1).trim() } },
        'viewer',
        repeatable(options),
      ),

    /** Ends the session, on the server too. */
    async signOut(options: CallOptions = {}): Promise<void> {
      await transport.mutate(SignOutDocument, {}, 'signedOut', repeatable(options));
    },

    /** The studies that one is a rater of, with consent text and instructions. */
    async myStudies(options: CallOptions = {}): Promise<readonly RaterStudy[]> {
      return (await transport.query(MyStudiesDocument, {}, options)).myStudies;
    },

    /**
     * Starts, or goes on with, rating here: pages that were opened before write no more. The first time it needs the version
     * of the consent text that is agreed to, and takes a place. Throws LIMIT_REACHED where all are taken.
     */
    start: (studyId: string, consentVersion?: string, options: CallOptions = {}): Promise<RaterStudy> =>
      transport.mutate(
        StartStudyRatingDocument,
        { input: { studyId, consentVersion: consentVersion ?? null } },
        'study',
        repeatable(options),
      ),

    /**
     * Answers the screen that is shown. The same `answerId` (drawn where it is left out) is the same answer however often it is
     * sent, so that network errors are tried again. `feedback` is said of practice.
     */
    async answer(
      input: WithId<SubmitStudyAnswerInput>,
      options: CallOptions = {},
    ): Promise<{ study: RaterStudy; feedback: string | null }> {
      const payload = await transport.mutateWhole(
        SubmitStudyAnswerDocument,
        keyed(input),
        repeatable(options),
      );
      return { study: payload.study!, feedback: payload.feedback };
    },

    /** Takes the last answer back, within the study's window; safe to send again as an answer is. */
    undo: (input: WithId<UndoStudyAnswerInput>, options: CallOptions = {}): Promise<RaterStudy> =>
      transport.mutate(UndoStudyAnswerDocument, keyed(input), 'study', repeatable(options)),
  };
}
