// People of the lab and their roles. Nobody is deleted: what they did stays theirs.

import { AppError } from '../errors.js';
import type { Role, User } from '../generated/prisma/client.js';
import { authorize } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { stale } from './edits.js';

/** Name of the user who sits at the machine itself; the first migration of people adds it. */
export const LOCAL_USER = 'local';

/** A name as it is stored. Throws AppError BAD_INPUT on `field`. */
export function checkName(text: string, field: string): string {
  const name = text.normalize('NFC').trim();
  if (name === '' || name.length > 100 || /\p{Cc}/u.test(name))
    throw new AppError('BAD_INPUT', 'give a name of 1 to 100 characters', { field });
  return name;
}

export async function createUser(
  services: Services,
  input: { readonly name: string; readonly role: Role },
): Promise<User> {
  const { viewer, store } = services;
  authorize(viewer, 'createUser');
  const name = checkName(input.name, 'name');
  return store.prisma.$transaction(async (tx) => {
    const data = [{ name, role: input.role }];
    const [user] = await tx.user.createManyAndReturn({ data, skipDuplicates: true });
    if (!user) throw new AppError('CONFLICT', `there is a user ${name} already`, { field: 'name' });
    await audit(tx, viewer, { action: 'createUser', type: 'User', id: user.id, after: user });
    return user;
  });
}

export interface UpdateUser {
  readonly id: string;
  /** The version that the change was decided by. */
  readonly expectedVersion: number;
  readonly role?: Role | null | undefined;
  /** False takes every right, tokens and sessions included; true gives them back. */
  readonly active?: boolean | null | undefined;
}

/** Changes a role or (de)activates. Admins cannot change themselves, so that one always remains. */
export async function updateUser(services: Services, input: UpdateUser): Promise<User> {
  const { viewer, store } = services;
  authorize(viewer, 'updateUser');
  const { id, expectedVersion, role, active } = input;
  return store.prisma.$transaction(async (tx) => {
    // Locked, so that the version that a refusal names is the one that it has.
    await tx.$queryRaw`SELECT id FROM lab_user WHERE id = ${id}::uuid FOR UPDATE`;
    const before = await tx.user.findUnique({ where: { id } });
    if (!before) throw new AppError('NOT_FOUND', 'no such user', { field: 'id' });
    if (id === viewer.userId)
      throw new AppError('CONFLICT', 'another admin must change your own rights', { field: 'id' });
    if (before.name === LOCAL_USER) {
      const message = 'the local user is admin; set MINDPAINTER_SECRET to sign nobody in without a token';
      throw new AppError('CONFLICT', message, { field: 'id' });
    }
    const deactivatedAt = active ? null : (before.deactivatedAt ?? new Date());
    const [after] = await tx.user.updateManyAndReturn({
      where: { id, version: expectedVersion },
      data: {
        version: { increment: 1 },
        ...(role ? { role } : {}),
        ...(active == null ? {} : { deactivatedAt }),
      },
    });
    if (!after) throw stale('user', before.version, expectedVersion);
    await audit(tx, viewer, { action: 'updateUser', type: 'User', id, before, after });
    return after;
  });
}

/** Whether somebody other than the local user can sign in as admin right now. */
export async function hasRemoteAdmin({ store }: Services): Promise<boolean> {
  const now = new Date();
  const token = await store.prisma.credential.findFirst({
    where: {
      kind: 'TOKEN',
      revokedAt: null,
      expiresAt: { gt: now },
      user: { role: 'ADMIN', deactivatedAt: null },
    },
  });
  return token !== null;
}
