// The rules: who may read what, and who may do what. Every service asks here first; docs/rights.md says the same as a table
// for people, and test/api/rights.test.ts holds the API to that table.

import { AppError } from '../errors.js';
import type { Role, Scope } from '../generated/prisma/client.js';

/** Who asks, as far as rights are concerned. */
export interface Viewer {
  /** SYSTEM is the platform itself (start, workers); LOCAL whoever sits at the machine of a server that only it can reach. */
  readonly kind: 'NOBODY' | 'SYSTEM' | 'LOCAL' | 'TOKEN' | 'SESSION';
  readonly userId: string | null;
  /** Their name, which never changes: in it paint jobs are submitted, and shares and limits counted. */
  readonly name: string | null;
  /** The token or session in use. */
  readonly credentialId: string | null;
  readonly role: Role | null;
  readonly scopes: readonly Scope[];
}

export const ALL_SCOPES: readonly Scope[] = ['READ', 'RATE', 'WRITE', 'MANAGE'];

export const NOBODY: Viewer = {
  kind: 'NOBODY',
  userId: null,
  name: null,
  credentialId: null,
  role: null,
  scopes: [],
};
export const SYSTEM: Viewer = { ...NOBODY, kind: 'SYSTEM', scopes: ALL_SCOPES };

/** How much of a type someone may read. OWN: what belongs to them. */
export type Reach = 'ALL' | 'OWN' | 'NONE';

/** Admins read everything. What is not named here does not exist for that role. */
const LAB_DATA = { RESEARCHER: 'ALL', RATER: 'NONE' } as const;
const READS = {
  Subject: LAB_DATA,
  FmriSession: LAB_DATA,
  Trial: LAB_DATA,
  SourceImage: LAB_DATA,
  Mask: LAB_DATA,
  Model: LAB_DATA,
  PaintJob: LAB_DATA,
  PaintJobBatch: LAB_DATA,
  Device: LAB_DATA,
  Stimulus: LAB_DATA,
  TrainingRun: LAB_DATA,
  Benchmark: LAB_DATA,
  Study: LAB_DATA,
  // Raters see what was painted, and nothing of how: they are blind to job, method and trial.
  Painting: { RESEARCHER: 'ALL', RATER: 'ALL' },
  Rating: { RESEARCHER: 'ALL', RATER: 'OWN' },
  User: { RESEARCHER: 'ALL', RATER: 'OWN' },
  ApiToken: { RESEARCHER: 'OWN', RATER: 'OWN' },
  RaterLink: { RESEARCHER: 'ALL', RATER: 'NONE' },
  WebhookEndpoint: LAB_DATA,
  WebhookDelivery: LAB_DATA,
  AuditEvent: { RESEARCHER: 'NONE', RATER: 'NONE' },
} as const satisfies Record<string, { readonly RESEARCHER: Reach; readonly RATER: Reach }>;
export type Entity = keyof typeof READS;

interface Rule {
  /** Admins may do everything. */
  readonly roles: readonly Exclude<Role, 'ADMIN'>[];
  readonly scope: Scope;
}
const WRITE_LAB_DATA = { roles: ['RESEARCHER'], scope: 'WRITE' } as const;
/** They make this server send requests, so a token that a script writes with does not do. */
const MANAGE_WEBHOOKS = { roles: ['RESEARCHER'], scope: 'MANAGE' } as const;
const ACTIONS = {
  createSubject: WRITE_LAB_DATA,
  importFmriSession: WRITE_LAB_DATA,
  uploadSourceImage: WRITE_LAB_DATA,
  createMask: WRITE_LAB_DATA,
  uploadMask: WRITE_LAB_DATA,
  registerModel: WRITE_LAB_DATA,
  submitPaintJob: WRITE_LAB_DATA,
  submitPaintJobs: WRITE_LAB_DATA,
  retryPaintJobs: WRITE_LAB_DATA,
  cancelPaintJob: WRITE_LAB_DATA,
  cancelPaintJobs: WRITE_LAB_DATA,
  pauseDevice: WRITE_LAB_DATA,
  resumeDevice: WRITE_LAB_DATA,
  linkStimuli: WRITE_LAB_DATA,
  createTrainingRun: WRITE_LAB_DATA,
  pauseTrainingRun: WRITE_LAB_DATA,
  resumeTrainingRun: WRITE_LAB_DATA,
  cancelTrainingRun: WRITE_LAB_DATA,
  createBenchmark: WRITE_LAB_DATA,
  freezeBenchmark: WRITE_LAB_DATA,
  measureBenchmark: WRITE_LAB_DATA,
  createStudy: WRITE_LAB_DATA,
  pilotStudy: WRITE_LAB_DATA,
  openStudy: WRITE_LAB_DATA,
  pauseStudy: WRITE_LAB_DATA,
  closeStudy: WRITE_LAB_DATA,
  /** Ends the blinding: a lead's act. */
  unsealStudy: { roles: ['RESEARCHER'], scope: 'MANAGE' },
  inviteStudyRaters: { roles: ['RESEARCHER'], scope: 'MANAGE' },
  judgeStudyRater: { roles: ['RESEARCHER'], scope: 'MANAGE' },
  startStudyRating: { roles: ['RESEARCHER', 'RATER'], scope: 'RATE' },
  submitStudyAnswer: { roles: ['RESEARCHER', 'RATER'], scope: 'RATE' },
  undoStudyAnswer: { roles: ['RESEARCHER', 'RATER'], scope: 'RATE' },
  /** There is no way back, so a token that a script writes with does not do. */
  withdrawSubject: { roles: ['RESEARCHER'], scope: 'MANAGE' },
  ratePainting: { roles: ['RESEARCHER', 'RATER'], scope: 'RATE' },
  /** A rating of a person without an account, such as from a paper form. */
  rateForAnother: { roles: ['RESEARCHER'], scope: 'RATE' },
  updateSubject: WRITE_LAB_DATA,
  updateFmriSession: WRITE_LAB_DATA,
  updateSourceImage: WRITE_LAB_DATA,
  updateModel: WRITE_LAB_DATA,
  updateBenchmark: WRITE_LAB_DATA,
  updateStudy: WRITE_LAB_DATA,
  delete: WRITE_LAB_DATA,
  restore: WRITE_LAB_DATA,
  /** Lists of what was deleted; others reach it only by what came of it. */
  readDeleted: { roles: [], scope: 'READ' },
  /** Numbers about the server and its work: no business of those who rate. */
  readMetrics: { roles: [], scope: 'READ' },
  createUser: { roles: [], scope: 'MANAGE' },
  updateUser: { roles: [], scope: 'MANAGE' },
  createApiToken: { roles: ['RESEARCHER'], scope: 'MANAGE' },
  revokeApiToken: { roles: ['RESEARCHER'], scope: 'MANAGE' },
  /** A token of, or for, somebody else. */
  manageTokensOfOthers: { roles: [], scope: 'MANAGE' },
  createRaterLink: { roles: ['RESEARCHER'], scope: 'MANAGE' },
  revokeRaterLink: { roles: ['RESEARCHER'], scope: 'MANAGE' },
  createWebhookEndpoint: MANAGE_WEBHOOKS,
  updateWebhookEndpoint: MANAGE_WEBHOOKS,
  deleteWebhookEndpoint: MANAGE_WEBHOOKS,
  rotateWebhookSecret: MANAGE_WEBHOOKS,
  sendTestWebhook: MANAGE_WEBHOOKS,
  redeliverWebhook: MANAGE_WEBHOOKS,
} as const satisfies Record<string, Rule>;
export type Action = keyof typeof ACTIONS;

function requireSomeone(viewer: Viewer): void {
  if (viewer.kind === 'NOBODY')
    throw new AppError('UNAUTHENTICATED', 'nobody is signed in; send a token as authorization: Bearer ...');
}

/** How much of a type the viewer may read. Throws AppError UNAUTHENTICATED when nobody is signed in. */
export function reach(viewer: Viewer, entity: Entity): Reach {
  requireSomeone(viewer);
  if (viewer.kind === 'SYSTEM' || viewer.role === 'ADMIN') return 'ALL';
  return viewer.role === null ? 'NONE' : READS[entity][viewer.role];
}

/** Whether the viewer may do this; false also when nobody is signed in. */
export function may(viewer: Viewer, action: Action): boolean {
  if (viewer.kind === 'SYSTEM') return true;
  const rule: Rule = ACTIONS[action];
  const { role, scopes } = viewer;
  return role !== null && (role === 'ADMIN' || rule.roles.includes(role)) && scopes.includes(rule.scope);
}

/**
 * Lets only those pass who may do this. Throws AppError UNAUTHENTICATED or FORBIDDEN; asked before anything is looked up,
 * so that the answer says nothing about what exists.
 */
export function authorize(viewer: Viewer, action: Action, field?: string): void {
  requireSomeone(viewer);
  if (may(viewer, action)) return;
  const { roles, scope } = ACTIONS[action] as Rule;
  const lacksScope = viewer.role === 'ADMIN' || roles.some((role) => role === viewer.role);
  const need = lacksScope ? `the scope ${scope}` : `the role ${[...roles, 'ADMIN'].join(' or ')}`;
  throw new AppError('FORBIDDEN', `${action} needs ${need}`, field === undefined ? {} : { field });
}
