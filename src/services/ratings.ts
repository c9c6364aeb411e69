// Ratings of paintings, 1 to 3, 3 best; a rater's later word replaces the earlier one. A rating belongs to a user.

import { AppError } from '../errors.js';
import type { Rating } from '../generated/prisma/client.js';
import type { Transaction } from '../store/client.js';
import { authorize, reach } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { findOrAddRater } from './credentials.js';
import { checkName } from './users.js';

export interface RatePainting {
  readonly paintingId: string;
  readonly score: number;
  /** A person without a token or link, in whose name the viewer enters the rating; absent: the viewer rates. */
  readonly rater?: string | null | undefined;
}

/** The user whose rating it is. Throws AppError where the viewer may not speak for them. */
async function raterOf(tx: Transaction, { viewer }: Services, rater: string | undefined): Promise<string> {
  const { userId } = viewer;
  if (rater === undefined) {
    if (userId !== null) return userId;
    throw new AppError('BAD_INPUT', 'say who rates', { field: 'rater' });
  }
  const own = userId === null ? null : await tx.user.findUnique({ where: { id: userId } });
  if (own?.name === rater) return own.id;
  const { id } = await findOrAddRater(tx, viewer, rater, 'rater');
  if (await tx.credential.findFirst({ where: { userId: id }, select: { id: true } })) {
    throw new AppError('CONFLICT', `${rater} has a link or token and rates in person`, { field: 'rater' });
  }
  return id;
}

export async function ratePainting(services: Services, input: RatePainting): Promise<Rating> {
  const { store, viewer } = services;
  authorize(viewer, 'ratePainting');
  const { paintingId, score } = input;
  if (input.rater != null) authorize(viewer, 'rateForAnother', 'rater');
  const rater = input.rater == null ? undefined : checkName(input.rater, 'rater');
  if (![1, 2, 3].includes(score))
    throw new AppError('BAD_INPUT', `a rating is 1, 2 or 3; it is ${score}`, { field: 'score' });
  const painting =
    reach(viewer, 'Painting') === 'NONE'
      ? null
      : await store.prisma.painting.findUnique({ where: { id: paintingId, job: { withdrawnAt: null } } });
  if (!painting) throw new AppError('NOT_FOUND', 'no such painting', { field: 'paintingId' });
  return store.prisma.$transaction(async (tx) => {
    const raterId = await raterOf(tx, services, rater);
    // The increment locks the row, so that two words of one rater become two revisions.
    const rating = await tx.rating.upsert({
      where: { paintingId_raterId: { paintingId, raterId } },
      create: { paintingId, raterId, score },
      update: { score, revision: { increment: 1 } },
    });
    const { id: ratingId, revision: number } = rating;
    await tx.ratingRevision.create({ data: { ratingId, number, score } });
    const [before] = await tx.ratingRevision.findMany({ where: { ratingId, number: number - 1 } });
    await audit(tx, viewer, {
      action: 'ratePainting',
      type: 'Rating',
      id: ratingId,
      after: rating,
      ...(before ? { before: { score: before.score, revision: before.number } } : {}),
    });
    return rating;
  });
}
