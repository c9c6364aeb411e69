// Ratings of paintings, 1 to 3, 3 best; a rater's later word replaces the earlier one. A rating belongs to a user.

import { AppError } from '../errors.js';
import type { Rating } from '../generated/prisma/client.js';
import { prepareSql } from '../store/sql.js';
import { uuid7 } from '../store/uuid7.js';
import { authorize, reach } from './access.js';
import { auditOn } from './audit.js';
import type { Services } from './context.js';
import { findOrAddRater } from './credentials.js';
import { checkName } from './users.js';

const RATE = prepareSql('rate-painting');
const REVISE = prepareSql('revise-rating');

export interface RatePainting {
  readonly paintingId: string;
  readonly score: number;
  /** A person without a token or link, in whose name the viewer enters the rating; absent: the viewer rates. */
  readonly rater?: string | null | undefined;
}

const noPainting = () => new AppError('NOT_FOUND', 'no such painting', { field: 'paintingId' });

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
  return store.transaction(async (client) => {
    const {
      rows: [rating],
    } = await client.query<Rating>(RATE, [uuid7(), paintingId, raterId, score]);
    if (!rating) throw noPainting();
    // A statement of its own, since it sees what another word of this rater wrote while the row was waited for.
    const {
      rows: [before],
    } = await client.query<{ score: number; revision: number }>(REVISE, [rating.id, rating.revision, score]);
    await auditOn(client, viewer, {
      action: 'ratePainting',
      type: 'Rating',
      id: rating.id,
      after: rating,
      ...(before ? { before } : {}),
    });
    return rating;
  });
}
