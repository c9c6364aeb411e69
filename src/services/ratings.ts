// Ratings of paintings, 1 to 3, 3 best; a rater's later word replaces the earlier one.

import { AppError } from '../errors.js';
import type { Rating } from '../generated/prisma/client.js';
import type { Services } from './context.js';

export async function ratePainting(
  { store }: Services,
  input: { paintingId: string; rater: string; score: number },
): Promise<Rating> {
  const { paintingId, score } = input;
  const rater = input.rater.trim();
  if (![1, 2, 3].includes(score))
    throw new AppError('BAD_INPUT', `a rating is 1, 2 or 3; it is ${score}`, { field: 'score' });
  if (rater === '' || rater.length > 100)
    throw new AppError('BAD_INPUT', 'name the rater with 1 to 100 characters', { field: 'rater' });
  const painting = await store.prisma.painting.findUnique({
    where: { id: paintingId, job: { withdrawnAt: null } },
  });
  if (!painting) throw new AppError('NOT_FOUND', 'no such painting', { field: 'paintingId' });
  // The increment locks the row, so that two words of one rater become two revisions.
  return store.prisma.$transaction(async (tx) => {
    const rating = await tx.rating.upsert({
      where: { paintingId_rater: { paintingId, rater } },
      create: { paintingId, rater, score },
      update: { score, revision: { increment: 1 } },
    });
    await tx.ratingRevision.create({ data: { ratingId: rating.id, number: rating.revision, score } });
    return rating;
  });
}
