// Making a study: the protocol, and the design as seats, slots and pictures, all before the first rating.

import { randomInt, randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import { DESIGN_ALGORITHM, type Design, type Slot } from '../design/design.js';
import type { CatchTrials } from '../design/parameters.js';
import { AppError } from '../errors.js';
import type { Study } from '../generated/prisma/client.js';
import { breakRegion } from '../imaging/break-region.js';
import { decodeRgb, encodePng } from '../imaging/decode.js';
import { createRng } from '../random.js';
import { uuid7 } from '../store/uuid7.js';
import { authorize } from './access.js';
import { auditOn } from './audit.js';
import type { Services } from './context.js';
import { wasDeleted } from './edits.js';
import { bad } from './paint-job-orders.js';
import {
  CONSENT,
  type Criterion,
  checkProtocol,
  DEFAULT_CRITERIA,
  designOf,
  INSTRUCTIONS,
  presetShape,
  SCALE,
  type StudyProtocol,
} from './study-protocol.js';

/** What may be left out takes a default, or with a preset the preset's. */
export interface StudyOrder {
  readonly name: string;
  readonly benchmarkId: string;
  readonly preset?: 'MINDPAINTER' | undefined;
  /** The study of which this is the next version. */
  readonly previousId?: string | undefined;
  /** Names of the benchmark's arms; all of them if absent. */
  readonly arms?: readonly string[] | undefined;
  readonly layout?: 'SINGLE' | 'PAIR' | undefined;
  readonly criteria?: readonly Criterion[] | undefined;
  readonly raters?: number | undefined;
  readonly groups?: number | undefined;
  readonly bridgingItems?: number | undefined;
  readonly catchTrials?: CatchTrials | undefined;
  /** By position in the benchmark; these items are not rated. */
  readonly practice?: readonly { readonly position: number; readonly feedback: string }[] | undefined;
  readonly instructions?: string | undefined;
  readonly consentVersion?: string | undefined;
  readonly consentText?: string | undefined;
  readonly showSource?: boolean | undefined;
  readonly showStimulus?: boolean | undefined;
  readonly leaseMinutes?: number | undefined;
  readonly undoSeconds?: number | undefined;
  readonly allowedFailures?: number | undefined;
  readonly completionCode?: string | undefined;
  readonly completionUrl?: string | undefined;
  /** Drawn by chance if absent, so that nobody knows it before the study is unsealed. */
  readonly seed?: number | undefined;
}

interface Item {
  readonly id: string;
  readonly position: number;
  readonly image_id: string;
  readonly source_sha256: string;
  readonly mask_sha256: string;
  readonly stimulus_sha256: string | null;
  /** By arm. */
  readonly paintings: Readonly<
    Record<string, { readonly id: string; readonly png: string; readonly withdrawn: boolean }>
  >;
}

const ITEMS = `
  SELECT item.id, item.position, item.image_id, image.png_sha256 AS source_sha256, mask.sha256 AS mask_sha256,
    seen.png_sha256 AS stimulus_sha256,
    jsonb_object_agg(cell.arm_id, jsonb_build_object('id', painting.id, 'png', painting.png_sha256,
      'withdrawn', job.withdrawn_at IS NOT NULL)) AS paintings
  FROM benchmark_item AS item
  JOIN source_image AS image ON image.id = item.image_id JOIN mask ON mask.id = item.mask_id
  LEFT JOIN stimulus ON stimulus.name = item.stimulus LEFT JOIN source_image AS seen ON seen.id = stimulus.image_id
  JOIN benchmark_cell AS cell ON cell.item_id = item.id
  JOIN painting ON painting.id = cell.painting_id JOIN paint_job AS job ON job.id = painting.job_id
  WHERE item.benchmark_id = $1::uuid
  GROUP BY item.id, image.png_sha256, mask.sha256, seen.png_sha256 ORDER BY item.position`;

async function readBenchmark({ store }: Services, id: string) {
  const benchmark = await store.prisma.benchmark.findUnique({
    where: { id },
    include: { arms: { orderBy: { position: 'asc' } } },
  });
  if (!benchmark) throw new AppError('NOT_FOUND', 'no such benchmark', { field: 'benchmarkId' });
  if (benchmark.itemsSha256 === null)
    throw new AppError(
      'CONFLICT',
      'the benchmark is not frozen; freezeBenchmark does that once all is painted',
      {
        field: 'benchmarkId',
      },
    );
  const { rows } = await store.pool.query<Item>(ITEMS, [id]);
  return { arms: benchmark.arms, items: rows, sha256: benchmark.itemsSha256 };
}

function chooseArms(
  arms: readonly { readonly id: string; readonly name: string }[],
  names?: readonly string[],
) {
  if (names === undefined) return arms.map(({ id, name }) => ({ id, name }));
  if (new Set(names).size !== names.length) bad('arms', 'each arm may be named once');
  return names.map((name) => {
    const arm = arms.find((one) => one.name === name);
    if (!arm)
      bad('arms', `the benchmark has no arm "${name}"; it has ${arms.map((one) => one.name).join(', ')}`);
    return { id: arm.id, name };
  });
}

async function protocolOf(services: Services, order: StudyOrder) {
  const { arms: all, items, sha256 } = await readBenchmark(services, order.benchmarkId);
  const arms = chooseArms(all, order.arms);
  const criteria = order.criteria ?? DEFAULT_CRITERIA;
  const practice = (order.practice ?? []).map(({ position, feedback }) => {
    const item = items.find((one) => one.position === position);
    if (!item) bad('practice', `the benchmark has no item ${position}`);
    return { itemId: item.id, source: item.image_id, feedback };
  });
  const rated = items.filter(({ id }) => !practice.some(({ itemId }) => itemId === id));
  const gone = rated.find(({ paintings }) => arms.some(({ id }) => paintings[id]!.withdrawn));
  if (gone)
    throw new AppError(
      'CONFLICT',
      `a painting of item ${gone.position} was withdrawn; make a new benchmark`,
      {
        field: 'benchmarkId',
      },
    );
  const none = { instructed: 0, duplicates: 0, grossFailures: 0 };
  const shape = order.preset
    ? presetShape(
        arms.map(({ id }) => id),
        criteria.map(({ name }) => name),
      )
    : {
        layout: order.layout ?? (arms.length > 1 ? 'PAIR' : 'SINGLE'),
        raters: order.raters ?? 20,
        groups: order.groups ?? 1,
        bridgingItems: order.bridgingItems ?? 0,
        catchTrials: order.catchTrials ?? none,
      };
  for (const field of ['layout', 'raters', 'groups', 'bridgingItems'] as const)
    if (order.preset && order[field] !== undefined && order[field] !== shape[field])
      bad(field, `the preset sets ${field} to ${shape[field]}; leave one of the two out`);
  const protocol: StudyProtocol = {
    preset: order.preset ?? null,
    ...shape,
    catchTrials: order.catchTrials ?? shape.catchTrials,
    arms,
    criteria,
    scale: SCALE,
    items: rated.map(({ id, image_id }) => ({ id, source: image_id })),
    practice,
    instructions: order.instructions ?? INSTRUCTIONS,
    consent: { version: order.consentVersion ?? CONSENT.version, text: order.consentText ?? CONSENT.text },
    showSource: order.showSource ?? true,
    showStimulus: order.showStimulus ?? false,
    leaseMinutes: order.leaseMinutes ?? 120,
    undoSeconds: order.undoSeconds ?? 300,
    allowedFailures: order.allowedFailures ?? 1,
    completionCode: order.completionCode ?? randomUUID().slice(0, 8).toUpperCase(),
    completionUrl: order.completionUrl ?? null,
    benchmarkSha256: sha256,
  };
  checkProtocol(protocol);
  if (protocol.showStimulus && rated.some(({ stimulus_sha256 }) => stimulus_sha256 === null))
    bad('showStimulus', 'the picture of some stimulus is not known; tell it by linkStimuli');
  return { protocol, items: new Map(items.map((item) => [item.id, item])) };
}

interface Picture {
  readonly slot_id: string;
  readonly role: 'CANDIDATE' | 'SOURCE' | 'STIMULUS';
  readonly side: number;
  readonly arm_id: string | null;
  readonly painting_id: string | null;
  readonly png_sha256: string;
}

/** The item's picture with its mask filled by noise: nobody who looks rates it anything but lowest. */
async function brokenPicture({ blobs }: Services, item: Item, seed: number): Promise<string> {
  const image = await decodeRgb(await blobs.get(item.source_sha256), 'image');
  const data = await blobs.get(item.mask_sha256);
  const mask = { width: image.width, height: image.height, data };
  return blobs.put(await encodePng(breakRegion(image, mask, createRng(seed))));
}

async function picturesOf(
  services: Services,
  protocol: StudyProtocol,
  slot: Slot,
  slotId: string,
  item: Item,
  seed: number,
): Promise<Picture[]> {
  const other = (role: Picture['role'], png_sha256: string): Picture => ({
    slot_id: slotId,
    role,
    side: 0,
    arm_id: null,
    painting_id: null,
    png_sha256,
  });
  const candidates = slot.arms.map(async (arm, side): Promise<Picture> => {
    if (arm === null) return { ...other('CANDIDATE', await brokenPicture(services, item, seed)), side };
    const { id, png } = item.paintings[arm]!;
    return { slot_id: slotId, role: 'CANDIDATE', side, arm_id: arm, painting_id: id, png_sha256: png };
  });
  return [
    ...(await Promise.all(candidates)),
    ...(protocol.showSource ? [other('SOURCE', item.source_sha256)] : []),
    ...(protocol.showStimulus ? [other('STIMULUS', item.stimulus_sha256!)] : []),
  ];
}

async function insertDesign(
  client: PoolClient,
  studyId: string,
  plan: Design,
  slotIds: readonly string[],
  pictures: readonly Picture[],
): Promise<void> {
  const { parameters, raters, slots } = plan;
  const seats = raters.map(({ rater, group, criteria }) => ({
    id: uuid7(),
    number: rater + 1,
    group_number: group + 1,
    criteria,
  }));
  await client.query(
    `INSERT INTO study_seat (id, study_id, number, group_number, criteria)
     SELECT seat.id, $1::uuid, seat.number, seat.group_number, seat.criteria
     FROM jsonb_to_recordset($2::jsonb) AS seat (id uuid, number int, group_number int, criteria text[])`,
    [studyId, JSON.stringify(seats)],
  );
  const groupsOf = new Map<string, Set<number>>();
  for (const { kind, item, rater } of slots)
    if (kind === 'RATING') groupsOf.set(item!, (groupsOf.get(item!) ?? new Set()).add(raters[rater]!.group));
  const rows = slots.map((slot, i) => ({
    id: slotIds[i]!,
    seat_id: seats[slot.rater]!.id,
    position: slot.position,
    kind: slot.kind,
    item_id: slot.item,
    arms_key: slot.arms
      .map((arm) => arm ?? '')
      .sort()
      .join(','),
    overlap: slot.overlap,
    // A bridging item is rated by all, another by its group.
    overlap_limit:
      slot.item && (groupsOf.get(slot.item)?.size ?? 1) > 1
        ? parameters.raters
        : parameters.raters / parameters.groups,
    expected: slot.expected,
    repeats_position: slot.repeats,
  }));
  await client.query(
    `INSERT INTO study_slot (id, study_id, seat_id, position, kind, item_id, arms_key, overlap, overlap_limit, expected,
       repeats_position)
     SELECT slot.id, $1::uuid, slot.seat_id, slot.position, slot.kind::"StudySlotKind", slot.item_id, slot.arms_key,
       slot.overlap, slot.overlap_limit, slot.expected, slot.repeats_position
     FROM jsonb_to_recordset($2::jsonb) AS slot (id uuid, seat_id uuid, position int, kind text, item_id uuid, arms_key text,
       overlap int, overlap_limit int, expected smallint, repeats_position int)`,
    [studyId, JSON.stringify(rows)],
  );
  await client.query(
    `INSERT INTO study_picture (slot_id, role, side, arm_id, painting_id, png_sha256)
     SELECT picture.slot_id, picture.role::"StudyPictureRole", picture.side, picture.arm_id, picture.painting_id,
       picture.png_sha256
     FROM jsonb_to_recordset($1::jsonb)
       AS picture (slot_id uuid, role text, side smallint, arm_id uuid, painting_id uuid, png_sha256 text)`,
    [JSON.stringify(pictures)],
  );
}

/** Designs and stores a study. Throws AppError; a design that cannot be balanced names what fails and what would work. */
export async function createStudy(services: Services, order: StudyOrder): Promise<Study> {
  const { store, viewer } = services;
  authorize(viewer, 'createStudy');
  const name = order.name.trim();
  if (name === '' || name.length > 100) bad('name', 'give a name of 1 to 100 characters');
  const seed = order.seed ?? randomInt(2 ** 32);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    bad('seed', `seed must be a whole number from 0 to 4294967295, it is ${seed}`);
  const { protocol, items } = await protocolOf(services, order);
  const plan = designOf(protocol, seed);
  const slotIds = plan.slots.map(() => randomUUID());
  const pictures: Picture[] = [];
  for (const [i, slot] of plan.slots.entries())
    if (slot.item !== null)
      pictures.push(
        ...(await picturesOf(
          services,
          protocol,
          slot,
          slotIds[i]!,
          items.get(slot.item)!,
          (seed + i) % 2 ** 32,
        )),
      );
  const id = uuid7();
  await store.transaction(async (client) => {
    let version = 1;
    if (order.previousId !== undefined) {
      const { rows } = await client.query<{ version: number; next: string | null; deleted: boolean }>(
        `SELECT study.version, next.id AS next, next.deleted_at IS NOT NULL AS deleted
         FROM study LEFT JOIN study AS next ON next.previous_id = study.id
         WHERE study.id = $1::uuid AND study.deleted_at IS NULL FOR UPDATE OF study`,
        [order.previousId],
      );
      if (!rows[0]) throw new AppError('NOT_FOUND', 'no such study', { field: 'previousId' });
      const { next, deleted } = rows[0];
      if (next !== null && deleted) throw wasDeleted('Study', next, 'previousId');
      if (next !== null)
        throw new AppError('CONFLICT', 'this study has a next version already', { field: 'previousId' });
      version = rows[0].version + 1;
    }
    await client.query(
      `INSERT INTO study (id, benchmark_id, previous_id, version, name, layout, seed, algorithm, protocol)
       VALUES ($1::uuid, $2::uuid, $3::uuid, $4, $5, $6::"StudyLayout", $7::bigint, $8, $9::jsonb)`,
      [
        id,
        order.benchmarkId,
        order.previousId ?? null,
        version,
        name,
        protocol.layout,
        seed,
        DESIGN_ALGORITHM,
        JSON.stringify(protocol),
      ],
    );
    await insertDesign(client, id, plan, slotIds, pictures);
    // Without the seed, which would tell the arms.
    const after = { name, version, benchmarkId: order.benchmarkId, preset: protocol.preset };
    await auditOn(client, viewer, { action: 'createStudy', type: 'Study', id, after });
  });
  return store.prisma.study.findUniqueOrThrow({ where: { id } });
}
