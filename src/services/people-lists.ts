// The lists of people, their tokens and links, and the audit, page by page from the newest.

import { reach } from './access.js';
import type { Services } from './context.js';
import { readVisible } from './lists.js';
import { newest, type PageArguments } from './pages.js';

export function listUsers(services: Services, args: PageArguments) {
  const { store, viewer } = services;
  const where = reach(viewer, 'User') === 'OWN' ? { id: viewer.userId! } : {};
  return readVisible(
    services,
    'User',
    args,
    (slice) => store.prisma.user.findMany(newest(slice, where)),
    () => store.prisma.user.count({ where }),
  );
}

/** Tokens: one's own, or everybody's for those who may read them. */
export function listApiTokens(services: Services, args: PageArguments) {
  const { store, viewer } = services;
  const own = reach(viewer, 'ApiToken') === 'OWN' ? { userId: viewer.userId! } : {};
  const where = { kind: 'TOKEN', ...own } as const;
  return readVisible(
    services,
    'ApiToken',
    args,
    (slice) => store.prisma.credential.findMany(newest(slice, where)),
    () => store.prisma.credential.count({ where }),
  );
}

export function listRaterLinks(services: Services, args: PageArguments) {
  const { prisma } = services.store;
  const where = { kind: 'RATER_LINK' } as const;
  return readVisible(
    services,
    'RaterLink',
    args,
    (slice) => prisma.credential.findMany(newest(slice, where)),
    () => prisma.credential.count({ where }),
  );
}

export interface AuditFilter {
  readonly entityId?: string | undefined;
  readonly userId?: string | undefined;
  readonly action?: string | undefined;
}

export function listAuditEvents(services: Services, filter: AuditFilter, args: PageArguments) {
  const { prisma } = services.store;
  return readVisible(
    services,
    'AuditEvent',
    args,
    (slice) => prisma.auditEvent.findMany(newest(slice, filter)),
    () => prisma.auditEvent.count({ where: { ...filter } }),
  );
}
