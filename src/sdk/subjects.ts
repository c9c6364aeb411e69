// Subjects, their sessions and trials, and which picture each stimulus is.

import {
  CreateSubjectDocument,
  ImportSessionDocument,
  LinkStimuliDocument,
  type ReportFieldsFragment,
  type SessionFieldsFragment,
  SessionsDocument,
  SessionTrialsDocument,
  StimuliDocument,
  type StimuliQuery,
  type StimulusLinkInput,
  SubjectByLabelDocument,
  type SubjectFieldsFragment,
  SubjectsDocument,
  type TrialFieldsFragment,
  WithdrawalReportDocument,
  WithdrawSubjectDocument,
} from '../generated/operations.js';
import { MindPainterError } from './errors.js';
import { entries } from './pages.js';
import type { CallOptions, Transport } from './transport.js';
import { type FileSource, toFile } from './uploads.js';

export type Subject = SubjectFieldsFragment;
export type Session = SessionFieldsFragment;
export type Trial = TrialFieldsFragment;
export type Stimulus = StimuliQuery['stimuli']['nodes'][number];
export type WithdrawalReport = ReportFieldsFragment;

export interface SessionImport {
  readonly subjectId: string;
  /** BIDS session label. */
  readonly label: string;
  /** NumPy `.npy`, trials x voxels. */
  readonly betas: FileSource;
  /** Table with a column `stimulus`, one row a trial in the matrix's order. */
  readonly trials: FileSource;
}

export type Subjects = ReturnType<typeof createSubjects>;

const missing = (label: string) => new MindPainterError('NOT_FOUND', `no subject has the label ${label}`);

export function createSubjects(transport: Transport) {
  const safe = (options: CallOptions) => ({ ...options, repeatable: true });

  async function find(label: string, options: CallOptions = {}): Promise<Subject> {
    const { subjectByLabel } = await transport.query(SubjectByLabelDocument, { label }, options);
    return (
      subjectByLabel ??
      (() => {
        throw missing(label);
      })()
    );
  }

  function sessions(label: string, options: CallOptions = {}): AsyncGenerator<Session, void> {
    return entries(async (page) => {
      const { subjectByLabel } = await transport.query(SessionsDocument, { label, ...page }, options);
      if (!subjectByLabel) throw missing(label);
      return subjectByLabel.fmriSessions;
    });
  }

  function sessionTrials(id: string, stimulus: string | undefined, options: CallOptions) {
    return entries<Trial>(async (page) => {
      const { node } = await transport.query(
        SessionTrialsDocument,
        { id, stimulus: stimulus ?? null, ...page },
        options,
      );
      if (!node || !('trials' in node))
        throw new MindPainterError('NOT_FOUND', `no session has the id ${id}`);
      return node.trials;
    });
  }

  return {
    /** All subjects, the newest first. */
    list: (options: CallOptions = {}): AsyncGenerator<Subject, void> =>
      entries(async (page) => (await transport.query(SubjectsDocument, page, options)).subjects),

    /** The subject of a label; throws NOT_FOUND. */
    find,

    /** Adds a subject; a label that exists gives its subject. */
    create: (
      label: string,
      input: { simulated?: boolean } = {},
      options: CallOptions = {},
    ): Promise<Subject> =>
      transport.mutate(CreateSubjectDocument, { input: { label, ...input } }, 'subject', safe(options)),

    /** The sessions of a subject, the newest first. */
    sessions,

    /** Imports a session. The same files again give the session that is there. */
    async importSession(input: SessionImport, options: CallOptions = {}): Promise<Session> {
      const betas = await toFile(input.betas, 'betas.npy');
      const trials = await toFile(input.trials, 'trials.csv');
      const variables = { input: { ...input, betas, trials } };
      return transport.mutate(ImportSessionDocument, variables, 'fmriSession', safe(options));
    },

    /** Trials of one session, or of all sessions of a subject, or those of them that showed one stimulus. */
    async *trials(
      where: { sessionId: string; stimulus?: string } | { subjectLabel: string; stimulus?: string },
      options: CallOptions = {},
    ): AsyncGenerator<Trial, void> {
      if ('sessionId' in where) return yield* sessionTrials(where.sessionId, where.stimulus, options);
      for await (const session of sessions(where.subjectLabel, options))
        yield* sessionTrials(session.id, where.stimulus, options);
    },

    /** Says which picture each stimulus name is, in calls of 1000. `replace`: a known name may get another picture. */
    async linkStimuli(
      stimuli: readonly StimulusLinkInput[],
      { replace = false, ...options }: CallOptions & { replace?: boolean } = {},
    ): Promise<void> {
      for (let start = 0; start < stimuli.length; start += 1000) {
        const input = { stimuli: stimuli.slice(start, start + 1000), replace };
        await transport.mutate(LinkStimuliDocument, { input }, 'stimuli', safe(options));
      }
    },

    /** Which picture each stimulus name is, the newest first. */
    stimuli: (options: CallOptions = {}): AsyncGenerator<Stimulus, void> =>
      entries(async (page) => (await transport.query(StimuliDocument, page, options)).stimuli),

    /** What would fall with a subject, counted now; it changes nothing. Throws NOT_FOUND. */
    async withdrawalReport(subjectId: string, options: CallOptions = {}): Promise<WithdrawalReport> {
      const { subjectWithdrawalReport } = await transport.query(
        WithdrawalReportDocument,
        { subjectId },
        options,
      );
      if (!subjectWithdrawalReport) throw new MindPainterError('NOT_FOUND', 'no such subject');
      return subjectWithdrawalReport;
    },

    /** Withdraws a subject, given the digest of the report that was looked at. There is no way back. */
    withdraw: (
      input: { subjectId: string; reason: string; digest: string },
      options: CallOptions = {},
    ): Promise<WithdrawalReport> =>
      transport.mutate(WithdrawSubjectDocument, { input }, 'report', { ...options, repeatable: false }),
  };
}
