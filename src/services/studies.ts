// A study's life: draft, piloted, open, paused, closed, unsealed. Each step is one way, save between open and paused.

import type { PoolClient } from 'pg';
import { balanceReport, describeBalance } from '../design/balance.js';
import { AppError } from '../errors.js';
import type { Study, StudyState } from '../generated/prisma/client.js';
import { type Action, authorize, reach } from './access.js';
import { auditOn } from './audit.js';
import type { Services } from './context.js';
import { editRow, type Naming, namingOf, seen } from './edits.js';
import { readListed } from './lists.js';
import { newest, type PageArguments } from './pages.js';
import { bad } from './paint-job-orders.js';
import { type ChainEnd, chainRoot } from './study-chain.js';
import { simulatePilot } from './study-pilot.js';
import { designOf, protocolHash, type StudyProtocol } from './study-protocol.js';

export const protocolOf = (study: Study): StudyProtocol => study.protocol as unknown as StudyProtocol;

function missing(field = 'id'): never {
  throw new AppError('NOT_FOUND', 'no such study', { field });
}

/** A study that the viewer may read, or null. */
export async function findStudy(services: Services, id: string): Promise<Study | null> {
  if (reach(services.viewer, 'Study') === 'NONE') return null;
  return services.store.prisma.study.findUnique({ where: { id, ...seen(services) } });
}

export function listStudies(services: Services, deleted: boolean, args: PageArguments) {
  const { prisma } = services.store;
  return readListed(
    services,
    'Study',
    deleted,
    args,
    (slice, where) => prisma.study.findMany(newest(slice, where)),
    (where) => prisma.study.count({ where }),
  );
}

/** The balance of the design, counted from its slots, as sentences. */
export const describeDesign = (study: Study): string =>
  describeBalance(balanceReport(designOf(protocolOf(study), Number(study.seed))));

/**
 * Takes a study from one of `from` to another state. The row is locked for it, so that ratings under way are in or out.
 * Throws AppError NOT_FOUND or CONFLICT.
 */
async function step(
  { store, viewer }: Services,
  action: Action,
  id: string,
  from: readonly StudyState[],
  write: (client: PoolClient, study: Study) => Promise<object>,
): Promise<Study> {
  const before = (await store.prisma.study.findUnique({ where: { id } })) ?? missing();
  await store.transaction(async (client) => {
    const { rows } = await client.query<{ state: StudyState }>(
      'SELECT state FROM study WHERE id = $1::uuid AND deleted_at IS NULL FOR UPDATE',
      [id],
    );
    const { state } = rows[0] ?? missing();
    if (!from.includes(state)) {
      const hint =
        state === 'DRAFT' && action === 'openStudy'
          ? '; pilot it first, to know how wide its intervals will be'
          : '';
      throw new AppError('CONFLICT', `the study is ${state}; ${action} needs ${from.join(' or ')}${hint}`, {
        field: 'id',
      });
    }
    const after = await write(client, before);
    await auditOn(client, viewer, { action, type: 'Study', id, before: { state }, after });
  });
  return store.prisma.study.findUniqueOrThrow({ where: { id } });
}

/** Simulates raters of the design and keeps what came of it beside the study, apart from all ratings. */
export async function pilotStudy(
  services: Services,
  id: string,
  options: { readonly seed: number; readonly difference: number; readonly studies: number },
): Promise<Study> {
  authorize(services.viewer, 'pilotStudy');
  const { seed, difference, studies } = options;
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    bad('seed', 'seed must be a whole number from 0 to 4294967295');
  if (!Number.isFinite(difference) || Math.abs(difference) > 10)
    bad('difference', 'difference must be from -10 to 10');
  if (!Number.isInteger(studies) || studies < 1 || studies > 100)
    bad('studies', 'studies must be from 1 to 100');
  const where = { id, deletedAt: null };
  const study = (await services.store.prisma.study.findUnique({ where })) ?? missing();
  const protocol = protocolOf(study);
  if (protocol.arms.length < 2) bad('id', 'a pilot compares two arms; this study has one');
  const { arms, ...pilot } = await simulatePilot(designOf(protocol, Number(study.seed)), options);
  const name = (id: string) => protocol.arms.find((arm) => arm.id === id)!.name;
  const shown = { ...pilot, arms: arms.map(name), model: { ...pilot.model, merits: undefined } };
  return step(services, 'pilotStudy', id, ['DRAFT', 'PILOTED'], async (client) => {
    await client.query(`UPDATE study SET state = 'PILOTED', pilot = $2::jsonb WHERE id = $1::uuid`, [
      id,
      JSON.stringify(shown),
    ]);
    return { state: 'PILOTED', pilot: shown.criteria };
  });
}

/** Opens a piloted study, its protocol frozen and hashed, or lets a paused one go on. */
export async function openStudy(services: Services, id: string): Promise<Study> {
  authorize(services.viewer, 'openStudy');
  return step(services, 'openStudy', id, ['PILOTED', 'PAUSED'], async (client, study) => {
    const protocolSha256 =
      study.protocolSha256 ?? protocolHash(protocolOf(study), Number(study.seed), study.algorithm);
    await client.query(
      `UPDATE study SET state = 'OPEN', protocol_sha256 = $2, opened_at = coalesce(opened_at, clock_timestamp())
       WHERE id = $1::uuid`,
      [id, protocolSha256],
    );
    return { state: 'OPEN', protocolSha256 };
  });
}

/** Takes no ratings until it is opened again. */
export async function pauseStudy(services: Services, id: string): Promise<Study> {
  authorize(services.viewer, 'pauseStudy');
  return step(services, 'pauseStudy', id, ['OPEN'], async (client) => {
    await client.query(`UPDATE study SET state = 'PAUSED' WHERE id = $1::uuid`, [id]);
    return { state: 'PAUSED' };
  });
}

/** Takes no ratings any more; the root over all rating events is set. */
export async function closeStudy(services: Services, id: string): Promise<Study> {
  authorize(services.viewer, 'closeStudy');
  return step(services, 'closeStudy', id, ['OPEN', 'PAUSED'], async (client) => {
    const { rows } = await client.query<ChainEnd>(
      'SELECT id AS rater, event_count AS events, chain_head AS head FROM study_rater WHERE study_id = $1::uuid',
      [id],
    );
    const root = chainRoot(id, rows);
    await client.query(
      `UPDATE study SET state = 'CLOSED', closed_at = clock_timestamp(), chain_root = $2 WHERE id = $1::uuid`,
      [id, root],
    );
    return { state: 'CLOSED', chainRoot: root };
  });
}

/** Opens the arm map: from here on results, export and report tell the arms. Audited; there is no way back. */
export async function unsealStudy(services: Services, id: string): Promise<Study> {
  authorize(services.viewer, 'unsealStudy');
  return step(services, 'unsealStudy', id, ['CLOSED'], async (client) => {
    await client.query(
      `UPDATE study SET state = 'UNSEALED', unsealed_at = clock_timestamp() WHERE id = $1::uuid`,
      [id],
    );
    return { state: 'UNSEALED' };
  });
}

export interface StudyProgress {
  readonly screens: number;
  readonly answered: number;
  readonly seats: number;
  readonly seatsTaken: number;
  readonly seatsFinished: number;
  readonly invited: number;
  readonly paused: number;
}

/** Counts of screens of the study proper, seats and raters; no answer is among them. */
export async function studyProgress({ store }: Services, studyId: string): Promise<StudyProgress> {
  const { rows } = await store.pool.query<StudyProgress>(
    `SELECT
       (SELECT count(*) FROM study_slot WHERE study_id = $1::uuid AND kind = 'RATING')::int AS screens,
       (SELECT count(DISTINCT slot_id) FROM study_rating WHERE study_id = $1::uuid)::int AS answered,
       (SELECT count(*) FROM study_seat WHERE study_id = $1::uuid)::int AS seats,
       (SELECT count(rater_id) FROM study_seat WHERE study_id = $1::uuid)::int AS "seatsTaken",
       (SELECT count(*) FROM study_seat JOIN study_rater AS rater ON rater.id = rater_id
        WHERE study_seat.study_id = $1::uuid AND rater.state = 'FINISHED')::int AS "seatsFinished",
       (SELECT count(*) FROM study_rater WHERE study_id = $1::uuid)::int AS invited,
       (SELECT count(*) FROM study_rater WHERE study_id = $1::uuid AND state = 'PAUSED')::int AS paused`,
    [studyId],
  );
  return rows[0]!;
}

/** Renames a study before raters see it. Throws AppError NOT_FOUND, BAD_INPUT, or CONFLICT: opened, or changed meanwhile. */
export function updateStudy(services: Services, input: Naming): Promise<Study> {
  authorize(services.viewer, 'updateStudy');
  const data = namingOf(input, 1, 100);
  return editRow(services, { action: 'updateStudy', type: 'Study', ...input }, async (_, before) => {
    if (before.openedAt)
      throw new AppError('CONFLICT', 'raters have seen its name: the study was opened', { field: 'id' });
    return data;
  });
}
