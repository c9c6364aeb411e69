// Who stands behind a secret, and browser sessions: started with a token or a rater link, ended with it or by signing out.

import { AppError } from '../errors.js';
import type { Credential, User } from '../generated/prisma/client.js';
import { ALL_SCOPES, NOBODY, type Viewer } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { issue } from './credentials.js';
import { matchesSecret, parseSecret } from './secrets.js';
import { LOCAL_USER } from './users.js';

const SESSION_DAYS = 14;
const USED_RESOLUTION_MS = 60_000;

type Known = Credential & { readonly user: User; readonly parent: Credential | null };

const isLive = ({ expiresAt, revokedAt }: Credential, now: Date) => revokedAt === null && expiresAt > now;

/** The credential of a secret of one of these kinds, or undefined: unknown, expired, revoked, or its user deactivated. */
async function find(
  { store, secretKey }: Services,
  secret: string,
  kinds: readonly Credential['kind'][],
): Promise<Known | undefined> {
  const parsed = parseSecret(secret);
  if (!parsed || !kinds.includes(parsed.kind)) return undefined;
  const found = await store.prisma.credential.findUnique({
    where: { id: parsed.id },
    include: { user: true, parent: true },
  });
  if (found?.kind !== parsed.kind || !matchesSecret(secret, secretKey, found.secretHash)) return undefined;
  const now = new Date();
  if (!isLive(found, now) || found.user.deactivatedAt) return undefined;
  if (found.parent && !isLive(found.parent, now)) return undefined;
  return found;
}

/** Who comes with this secret, or undefined. Notes the use, to the minute. */
export async function authenticate(
  services: Services,
  secret: string,
  kind: 'TOKEN' | 'SESSION',
): Promise<Viewer | undefined> {
  const found = await find(services, secret, [kind]);
  if (!found) return undefined;
  const { id, user, parent } = found;
  const now = new Date();
  const stale = new Date(now.getTime() - USED_RESOLUTION_MS);
  if (!found.lastUsedAt || found.lastUsedAt < stale) {
    await services.store.prisma.credential.updateMany({
      where: { id: { in: parent ? [id, parent.id] : [id] } },
      data: { lastUsedAt: now },
    });
  }
  // A link makes a rater and nothing more, whatever its user has become since.
  const role = parent?.kind === 'RATER_LINK' ? 'RATER' : user.role;
  return { kind, userId: user.id, name: user.name, credentialId: id, role, scopes: found.scopes };
}

/** Whoever sits at the machine itself: an admin. */
export async function localViewer({ store }: Services): Promise<Viewer> {
  const { id, name, role } = await store.prisma.user.findUniqueOrThrow({ where: { name: LOCAL_USER } });
  return { kind: 'LOCAL', userId: id, name, credentialId: null, role, scopes: ALL_SCOPES };
}

export interface Session {
  readonly secret: string;
  readonly expiresAt: Date;
  readonly viewer: Viewer;
}

/** Starts a browser session with a token or a rater link; it can do what they can, and ends no later. */
export async function signIn(services: Services, secret: string): Promise<Session> {
  const parent = await find(services, secret.trim(), ['TOKEN', 'RATER_LINK']);
  if (!parent) {
    const message = 'this token or link is not known, has expired, or was revoked; ask for a new one';
    throw new AppError('UNAUTHENTICATED', message, { field: 'secret' });
  }
  const { userId, scopes } = parent;
  const now = new Date();
  const end = Math.min(parent.expiresAt.getTime(), now.getTime() + SESSION_DAYS * 24 * 3600 * 1000);
  const issued = await services.store.prisma.$transaction(async (tx) => {
    await tx.credential.update({
      where: { id: parent.id },
      data: { useCount: { increment: 1 }, lastUsedAt: now },
    });
    const actor = { ...NOBODY, userId, credentialId: parent.id };
    const data = { kind: 'SESSION', userId, parentId: parent.id, name: parent.name, scopes } as const;
    return issue(
      tx,
      { secretKey: services.secretKey, viewer: actor },
      { ...data, expiresAt: new Date(end) },
      { action: 'signIn', type: 'Session' },
    );
  });
  const viewer = await authenticate(services, issued.secret, 'SESSION');
  return { secret: issued.secret, expiresAt: issued.credential.expiresAt, viewer: viewer! };
}

/** Ends the viewer's browser session; without one there is nothing to end. */
export async function signOut({ store, viewer }: Services): Promise<void> {
  const { kind, credentialId: id } = viewer;
  if (kind !== 'SESSION' || id === null) return;
  await store.prisma.$transaction(async (tx) => {
    const revokedAt = new Date();
    const { count } = await tx.credential.updateMany({ where: { id, revokedAt: null }, data: { revokedAt } });
    if (count === 1)
      await audit(tx, viewer, {
        action: 'signOut',
        type: 'Session',
        id,
        before: { revokedAt: null },
        after: { revokedAt },
      });
  });
}
