// Ratings of paintings, 1 to 3, 3 best; a rater's later word replaces the earlier one. A rating belongs to a user.

import { AppError } from '../errors.js';
import type { Rating } from '../generated/prisma/client.js';
import { prepareSql } from '../store/sql.js';
import { uuid7 } from '../store/uuid7.js';
import { authorize, reach } from './access.js';
import type { Services } from './context.js';
import { findOrAddRater } from './credentials.js';
import { checkName } from './users.js';

const RATE = prepareSql('rate-painting');

export interface RatePainting {
  readonly paintingId: string;
  readonly score: number;
  /** A person without a token or link, in whose name the viewer enters the rating; absent: the viewer rates. */
  readonly rater?: string | null | undefined;
}

const noPainting = () => new AppError('NOT_FOUND', 'no such painting', { field: 'paintingId' });

/** A row of RATE, which writes the audit event itself: all is one statement, and so one transaction. */
type Rated = { readonly found: boolean } & (Rating | { readonly id: null });

/**
 * The user in whose name the viewer enters a rating, added where there is none, in a transaction of its own: a rater of no
 * ratings harms nothing. Throws AppError where the viewer may not speak for them.
 */
function findNamedRater({ store, viewer }: Services, paintingId: string, name: string): Promise<string> {
  return store.prisma.$transaction(async (tx) => {
    const where = { id: paintingId, job: { withdrawnAt: null } };
    if (!(await tx.painting.findUnique({ where, select: { id: true } }))) throw noPainting();
    const { id } = await findOrAddRater(tx, viewer, name, 'rater');
    if (await tx.credential.findFirst({ where: { userId: id }, select: { id: true } })) {
      throw new AppError('CONFLICT', `${name} has a link or token and rates in person`, { field: 'rater' });
    }
    return id;
  });
}

export async function ratePainting(services: Services, input: RatePainting): Promise<Rating> {
  const { store, viewer } = services;
  authorize(viewer, 'ratePainting');
  const { paintingId, score } = input;
  if (input.rater != null) authorize(viewer, 'rateForAnother', 'rater');
  const rater = input.rater == null ? viewer.name : checkName(input.rater, 'rater');
  if (rater === null) throw new AppError('BAD_INPUT', 'say who rates', { field: 'rater' });
  if (![1, 2, 3].includes(score))
    throw new AppError('BAD_INPUT', `a rating is 1, 2 or 3; it is ${score}`, { field: 'score' });
  if (reach(viewer, 'Painting') === 'NONE') throw noPainting();
  const raterId = rater === viewer.name ? viewer.userId : await findNamedRater(services, paintingId, rater);
  const { userId, credentialId } = viewer;
  for (;;) {
    const { rows } = await store.pool.query<Rated>(RATE, [
      ...[uuid7(), paintingId, raterId, score],
      ...[uuid7(), userId, credentialId],
    ]);
    const { found, ...rating } = rows[0]!;
    if (!found) throw noPainting();
    // Null where this rater's first word came in between; the next turn sees it.
    if (rating.id !== null) return rating;
  }
}
