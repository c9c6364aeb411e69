// Studies as their lead sees them: design, pilot, open, look after the raters, close, unseal, export.

import {
  CloseStudyDocument,
  CreateStudyDocument,
  type CreateStudyInput,
  InviteStudyRatersDocument,
  type InviteStudyRatersInput,
  type InviteStudyRatersMutation,
  JudgeStudyRaterDocument,
  type JudgeStudyRaterInput,
  OpenStudyDocument,
  PauseStudyDocument,
  PilotStudyDocument,
  type PilotStudyInput,
  StudiesDocument,
  StudyDesignDocument,
  type StudyDesignQuery,
  StudyDocument,
  type StudyFieldsFragment,
  StudyRatersDocument,
  type StudyRatersQuery,
  StudyResultsDocument,
  type StudyState,
  type StudyStatusFragment,
  type TypedDocumentString,
  UnsealStudyDocument,
} from '../generated/operations.js';
import type { DownloadOptions, Downloads } from './downloads.js';
import { MindPainterError, type UserError } from './errors.js';
import { entries } from './pages.js';
import type { CallOptions, Transport } from './transport.js';

/** A study as lists give it. */
export type Study = StudyFieldsFragment;
/** A study with its pilot and how far it is. */
export type StudyStatus = StudyStatusFragment;
/** What is frozen when it opens, and whether it is balanced; the seed is null until it is unsealed. */
export type StudyDesign = NonNullable<StudyDesignQuery['study']>;
/** How a rater does; no answer is among it. */
export type StudyRater = NonNullable<StudyRatersQuery['study']>['raters'][number];
export type StudyInvitation = NonNullable<
  InviteStudyRatersMutation['inviteStudyRaters']['invitations']
>[number];
export type { CreateStudyInput, InviteStudyRatersInput, JudgeStudyRaterInput, StudyState };

/** What an unsealed study is exported as, and the file's name on the server. */
export const STUDY_EXPORTS = {
  json: 'export.json',
  csv: 'ratings.csv',
  dictionary: 'dictionary.csv',
  report: 'report.html',
} as const;
export type StudyExport = keyof typeof STUDY_EXPORTS;

type StepDocument = TypedDocumentString<
  Record<string, { study: StudyStatus | null; userErrors: UserError[] }>,
  { input: { id: string } }
>;

export type Studies = ReturnType<typeof createStudies>;

export function createStudies(transport: Transport, downloads: Downloads) {
  // A step whose answer was lost may have been taken: to take it twice would be refused, and what was refused is no answer.
  const once = (options: CallOptions) => ({ ...options, repeatable: false });
  const found = <T>(study: T | null | undefined, id: string): T => {
    if (study) return study;
    throw new MindPainterError('NOT_FOUND', `no study has the id ${id}`, { field: 'id' });
  };
  const sealed = () =>
    new MindPainterError('CONFLICT', 'the study is sealed: close and unseal it first', { field: 'id' });
  const step =
    (document: StepDocument) =>
    (id: string, options: CallOptions = {}): Promise<StudyStatus> =>
      transport.mutate(document, { input: { id } }, 'study', once(options));

  async function get(id: string, options: CallOptions = {}): Promise<StudyStatus> {
    return found((await transport.query(StudyDocument, { id }, options)).study, id);
  }

  async function addressOf(id: string, kind: StudyExport, options: CallOptions): Promise<string> {
    const { exportPath } = await get(id, options);
    if (exportPath === null) throw sealed();
    return exportPath + STUDY_EXPORTS[kind];
  }

  return {
    get,

    /** All studies, the newest first. */
    list: (options: CallOptions = {}): AsyncGenerator<Study, void> =>
      entries(async (page) => (await transport.query(StudiesDocument, page, options)).studies),

    /**
     * Designs a study of a frozen benchmark, by a preset or by parameters. Throws BAD_INPUT naming what cannot be balanced and
     * what would work.
     */
    create: (input: CreateStudyInput, options: CallOptions = {}): Promise<StudyStatus> =>
      transport.mutate(CreateStudyDocument, { input }, 'study', once(options)),

    /** Protocol, seed (once unsealed), and whether the design is balanced, as sentences. */
    async design(id: string, options: CallOptions = {}): Promise<StudyDesign> {
      return found((await transport.query(StudyDesignDocument, { id }, options)).study, id);
    },

    /** Lets simulated raters answer it: `pilot` then says how wide the intervals will be. */
    pilot: (
      id: string,
      settings: Omit<PilotStudyInput, 'id'> = {},
      options: CallOptions = {},
    ): Promise<StudyStatus> =>
      transport.mutate(PilotStudyDocument, { input: { id, ...settings } }, 'study', {
        ...options,
        repeatable: true,
      }),

    /** Opens a piloted study, its protocol frozen from then on; or lets a paused one go on. */
    open: step(OpenStudyDocument),
    /** Takes no ratings until it is opened again. */
    pause: step(PauseStudyDocument),
    /** Ends the ratings for good and sets the root of its record. */
    close: step(CloseStudyDocument),
    /** Tells the arms of a closed study. There is no way back. */
    unseal: step(UnsealStudyDocument),

    /** Makes a link for each rater, by `names` or `count`; a link's `path` follows the server's address and is shown this once. */
    invite: (input: InviteStudyRatersInput, options: CallOptions = {}): Promise<readonly StudyInvitation[]> =>
      transport.mutate(InviteStudyRatersDocument, { input }, 'invitations', once(options)),

    /** How the raters do, in the order of invitation, at most 1,000. */
    async raters(id: string, options: CallOptions = {}): Promise<readonly StudyRater[]> {
      return found((await transport.query(StudyRatersDocument, { id }, options)).study, id).raters;
    },

    /** Lets a paused rater go on, leaves one out of the results, or gives the place to another; nothing is deleted. */
    judge: (input: JudgeStudyRaterInput, options: CallOptions = {}): Promise<StudyStatus> =>
      transport.mutate(JudgeStudyRaterDocument, { input }, 'study', once(options)),

    /** The statistics, as docs/guides/studies.md describes them. Throws CONFLICT before the study is unsealed. */
    async results<R = unknown>(id: string, options: CallOptions = {}): Promise<R> {
      const { results } = found((await transport.query(StudyResultsDocument, { id }, options)).study, id);
      if (results === null) throw sealed();
      return results as R;
    },

    /** An export as it comes from the server; the iteration throws where it breaks off. Throws CONFLICT before unsealing. */
    async *export(
      id: string,
      kind: StudyExport,
      options: DownloadOptions = {},
    ): AsyncGenerator<Uint8Array, void> {
      const address = await addressOf(id, kind, { signal: options.signal });
      yield* downloads.stream(address, options);
    },

    /** Writes an export to a file that is complete when it appears. Throws CONFLICT before unsealing. */
    async saveExport(
      id: string,
      kind: StudyExport,
      path: string,
      options: DownloadOptions = {},
    ): Promise<void> {
      await downloads.save(await addressOf(id, kind, { signal: options.signal }), path, options);
    },
  };
}
