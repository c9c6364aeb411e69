// API tokens and rater links: made, listed as last used, revoked. Their secrets are shown once.

import { AppError } from '../errors.js';
import type { Credential, Scope, User } from '../generated/prisma/client.js';
import type { Transaction } from '../store/client.js';
import { authorize, may, type Viewer } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { createSecret, hashSecret } from './secrets.js';
import { checkName } from './users.js';

const MAX_DAYS = 366;
const DAY_MS = 24 * 3600 * 1000;

/** A row and its secret, which nobody can read again. */
export interface Issued {
  readonly credential: Credential;
  readonly secret: string;
}

type NewCredential = Pick<Credential, 'kind' | 'userId' | 'name' | 'scopes' | 'expiresAt'> & {
  readonly parentId?: string;
};

/** Stores a new credential within the caller's transaction, audit event included. */
export async function issue(
  tx: Transaction,
  services: Pick<Services, 'secretKey' | 'viewer'>,
  data: NewCredential,
  event: { readonly action: string; readonly type: string },
): Promise<Issued> {
  // The secret holds the row's key, so the row comes first; nothing matches an empty hash.
  const { id } = await tx.credential.create({ data: { ...data, secretHash: new Uint8Array() } });
  const secret = createSecret(data.kind, id);
  const secretHash = hashSecret(secret, services.secretKey);
  const credential = await tx.credential.update({ where: { id }, data: { secretHash } });
  await audit(tx, services.viewer, { ...event, id, after: credential });
  return { credential, secret };
}

function expiry(days: number): Date {
  if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS)
    throw new AppError('BAD_INPUT', `give whole days from 1 to ${MAX_DAYS}, it is ${days}`, {
      field: 'expiresInDays',
    });
  return new Date(Date.now() + days * DAY_MS);
}

export interface CreateApiToken {
  /** Whose; the viewer's own where absent. */
  readonly userId?: string | undefined;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresInDays: number;
}

/** Makes a token. It can do no more than its maker and its user; READ is always among its scopes. */
export async function createApiToken(services: Services, input: CreateApiToken): Promise<Issued> {
  const { viewer, store } = services;
  authorize(viewer, 'createApiToken');
  const userId = input.userId ?? viewer.userId;
  if (userId !== viewer.userId) authorize(viewer, 'manageTokensOfOthers', 'userId');
  if (userId === null) throw new AppError('BAD_INPUT', 'say whose the token shall be', { field: 'userId' });
  const wider = input.scopes.filter((scope) => !viewer.scopes.includes(scope));
  if (wider.length > 0) {
    const message = `a token has no scope that its maker lacks: ${wider.join(', ')}`;
    throw new AppError('FORBIDDEN', message, { field: 'scopes' });
  }
  const name = checkName(input.name, 'name');
  const expiresAt = expiry(input.expiresInDays);
  const scopes = [...new Set<Scope>(['READ', ...input.scopes])];
  return store.prisma.$transaction(async (tx) => {
    const user = await tx.user.findUnique({ where: { id: userId } });
    if (!user) throw new AppError('NOT_FOUND', 'no such user', { field: 'userId' });
    if (user.deactivatedAt) throw new AppError('CONFLICT', 'this user is deactivated', { field: 'userId' });
    const event = { action: 'createApiToken', type: 'ApiToken' };
    return issue(tx, services, { kind: 'TOKEN', userId, name, scopes, expiresAt }, event);
  });
}

/** Makes a link for one rater, known by name; a name that nobody has becomes a new rater. */
export async function createRaterLink(
  services: Services,
  input: { readonly raterName: string; readonly expiresInDays: number },
): Promise<Issued> {
  const { viewer, store } = services;
  authorize(viewer, 'createRaterLink');
  const name = checkName(input.raterName, 'raterName');
  const expiresAt = expiry(input.expiresInDays);
  return store.prisma.$transaction(async (tx) => {
    const rater = await findOrAddRater(tx, viewer, name, 'raterName');
    if (rater.deactivatedAt) throw new AppError('CONFLICT', `${name} is deactivated`, { field: 'raterName' });
    const event = { action: 'createRaterLink', type: 'RaterLink' };
    const data = { userId: rater.id, name, scopes: ['READ', 'RATE'] satisfies Scope[], expiresAt };
    return issue(tx, services, { kind: 'RATER_LINK', ...data }, event);
  });
}

/** The rater of a name, added where nobody has it. Throws AppError CONFLICT on `field` when it is a user of another role. */
export async function findOrAddRater(
  tx: Transaction,
  viewer: Viewer,
  name: string,
  field: string,
): Promise<User> {
  const [added] = await tx.user.createManyAndReturn({
    data: [{ name, role: 'RATER' }],
    skipDuplicates: true,
  });
  if (added) await audit(tx, viewer, { action: 'createUser', type: 'User', id: added.id, after: added });
  const user = added ?? (await tx.user.findUniqueOrThrow({ where: { name } }));
  if (user.role !== 'RATER')
    throw new AppError('CONFLICT', `${name} is a user of another role than rater`, { field });
  return user;
}

/** Ends a token or link, and the sessions that were started with it. A second time changes nothing. */
async function revoke(services: Services, id: string, kind: 'TOKEN' | 'RATER_LINK'): Promise<Credential> {
  const { viewer, store } = services;
  const [action, type] =
    kind === 'TOKEN'
      ? (['revokeApiToken', 'ApiToken'] as const)
      : (['revokeRaterLink', 'RaterLink'] as const);
  authorize(viewer, action);
  const mine = kind === 'TOKEN' && !may(viewer, 'manageTokensOfOthers') ? { userId: viewer.userId! } : {};
  return store.prisma.$transaction(async (tx) => {
    const found = await tx.credential.findFirst({ where: { id, kind, ...mine } });
    if (!found) throw new AppError('NOT_FOUND', `no such ${type}`, { field: 'id' });
    const [revoked] = await tx.credential.updateManyAndReturn({
      where: { id, revokedAt: null },
      data: { revokedAt: new Date() },
    });
    if (!revoked) return found;
    const [before, after] = [{ revokedAt: null }, { revokedAt: revoked.revokedAt }];
    await audit(tx, viewer, { action, type, id, before, after });
    return revoked;
  });
}

/** Throws AppError NOT_FOUND also for a token that the viewer may not see. */
export const revokeApiToken = (services: Services, id: string) => revoke(services, id, 'TOKEN');
export const revokeRaterLink = (services: Services, id: string) => revoke(services, id, 'RATER_LINK');
