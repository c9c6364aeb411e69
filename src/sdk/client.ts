// `mindpainter/sdk`: a MindPainter server for programs.

import { type TypedDocumentString, ViewerDocument, type ViewerQuery } from '../generated/operations.js';
import { type Benchmarks, createBenchmarks } from './benchmarks.js';
import { createDownloads, type Downloads } from './downloads.js';
import { createJobs, type Jobs } from './jobs.js';
import { createImages, createMasks, createModels, type Images, type Masks, type Models } from './pictures.js';
import { createRater, type Rater } from './rater.js';
import { createStudies, type Studies } from './studies.js';
import { createSubjects, type Subjects } from './subjects.js';
import { createTraining, type Training } from './training.js';
import { type CallOptions, createTransport, parseServer, type Transport } from './transport.js';

export {
  type Benchmark,
  type BenchmarkSheetKind,
  type BenchmarkStatus,
  type CreateBenchmarkInput,
  paintedCount,
} from './benchmarks.js';
export { cannotWrite, type Downloadable, writeWhole } from './downloads.js';
export { type ErrorCode, hasCode, MindPainterError, type UserError } from './errors.js';
export type { WaitOptions } from './follow.js';
export {
  type Batch,
  endedCount,
  hasEnded,
  type Job,
  type JobEvent,
  type Painting,
  type PaintJobFieldsInput,
  type PaintJobState,
  type SubmitPaintJobInput,
  type SubmitPaintJobsInput,
} from './jobs.js';
export type { Image, Mask, Model } from './pictures.js';
export type { RaterScreen, RaterStudy, SignedIn } from './rater.js';
export {
  type CreateStudyInput,
  type InviteStudyRatersInput,
  type JudgeStudyRaterInput,
  STUDY_EXPORTS,
  type Study,
  type StudyDesign,
  type StudyExport,
  type StudyInvitation,
  type StudyRater,
  type StudyState,
  type StudyStatus,
} from './studies.js';
export type { Session, Stimulus, Subject, Trial, WithdrawalReport } from './subjects.js';
export { type CreateTrainingRunInput, rests, type TrainingRun, type TrainingRunState } from './training.js';
export type { FileSource } from './uploads.js';

/** Who a token, or being on the server's own machine, makes the caller. */
export type Viewer = NonNullable<ViewerQuery['viewer']>;

export interface MindPainterOptions {
  /** Address of the server; default http://127.0.0.1:4000. */
  readonly url?: string;
  /** An API token. Without one, requests are the local user's where the server has one, else nobody's. */
  readonly token?: string | undefined;
  /** How long an answer may take; uploads and downloads ten times as long. Default 60 s. */
  readonly timeoutMs?: number;
}

/** A connection to one server. Close it, or let `await using` do so, when a subscription may still be open. */
export class MindPainter {
  readonly url: string;
  readonly subjects: Subjects;
  readonly images: Images;
  readonly masks: Masks;
  readonly models: Models;
  readonly jobs: Jobs;
  readonly training: Training;
  readonly benchmarks: Benchmarks;
  readonly studies: Studies;
  readonly rater: Rater;
  readonly downloads: Downloads;
  readonly #transport: Transport;

  constructor({ url = 'http://127.0.0.1:4000', token, timeoutMs = 60_000 }: MindPainterOptions = {}) {
    this.url = parseServer(url).href;
    const transport = createTransport({ url, token, timeoutMs });
    this.#transport = transport;
    this.subjects = createSubjects(transport);
    this.images = createImages(transport);
    this.masks = createMasks(transport);
    this.models = createModels(transport);
    this.jobs = createJobs(transport);
    this.training = createTraining(transport);
    this.downloads = createDownloads(transport);
    this.benchmarks = createBenchmarks(transport);
    this.studies = createStudies(transport, this.downloads);
    this.rater = createRater(transport);
  }

  /** Who asks, or undefined if nobody is signed in. Throws UNAUTHENTICATED for a token that is not good. */
  async viewer(options: CallOptions = {}): Promise<Viewer | undefined> {
    return (await this.#transport.query(ViewerDocument, {}, options)).viewer ?? undefined;
  }

  /** Sends a query of your own, for what the methods do not select. */
  query<R = unknown>(document: string, variables: object = {}, options: CallOptions = {}): Promise<R> {
    return this.#transport.query(document as unknown as TypedDocumentString<R, object>, variables, options);
  }

  /** Ends open subscriptions. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
