// A study with as many ratings as one likes: benchmark, design and slots by the services as ever, the answers by one INSERT.

import type { Study } from '../../src/generated/prisma/client.js';
import { encodePng } from '../../src/imaging/decode.js';
import { createBenchmark, freezeBenchmark } from '../../src/services/benchmarks.js';
import type { Services } from '../../src/services/context.js';
import { closeStudy, openStudy, pilotStudy, unsealStudy } from '../../src/services/studies.js';
import { createStudy } from '../../src/services/study-creation.js';
import { benchmarkOrder, noise, type StudyParts, writeStudyParts } from './study-lab.js';

/** Pictures, each painted by as many signals: items are the product, and few files make many of them. */
export interface LargeStudy {
  readonly pictures: number;
  readonly signals: number;
  readonly criteria: number;
  readonly raters: number;
  readonly groups: number;
  /** The first so many raters are left out by the lead. */
  readonly excluded?: number;
}

/** Ends all waiting jobs with one picture. */
async function endAllJobs({ store, blobs }: Services): Promise<void> {
  const png = await blobs.put(await encodePng(noise(1)));
  await store.pool.query(
    `WITH ended AS (
       UPDATE paint_job SET state = 'SUCCEEDED', finished_at = clock_timestamp() WHERE state = 'QUEUED' RETURNING id
     )
     INSERT INTO painting (id, job_id, index, png_sha256, thumbnail_sha256, outside_mask_different_pixels)
     SELECT gen_random_uuid(), id, 0, $1, $1, 0 FROM ended`,
    [png],
  );
}

/** Everybody invited, seated and finished. */
const SEAT = `
  WITH person AS (
    INSERT INTO lab_user (id, name, role) SELECT gen_random_uuid(), 'crowd ' || seat.id, 'RATER' FROM study_seat AS seat
    WHERE seat.study_id = $1::uuid RETURNING id, name
  ), rater AS (
    INSERT INTO study_rater (id, study_id, user_id, state, finished_at, chain_head, event_count)
    SELECT person.id, $1::uuid, person.id, 'FINISHED', clock_timestamp(), 'bulk', 1 FROM person RETURNING id
  )
  UPDATE study_seat AS seat SET rater_id = person.id FROM person
  WHERE seat.study_id = $1::uuid AND person.name = 'crowd ' || seat.id AND EXISTS (SELECT FROM rater)`;

/** The left painting is liked a little better on each criterion, raters and pairs differ. The hashes are no chain. */
const ANSWER = `
  INSERT INTO study_event (rater_id, number, study_id, slot_id, kind, answers, client_id, response_ms, consent_sha256, at, hash)
  SELECT seat.rater_id, slot.position + 1, slot.study_id, slot.id, 'RATE',
    (SELECT array_agg(least(3, greatest(1, round(2 + 0.3 * random_normal() + picture.liking + 0.6 * random_normal())))::smallint
       ORDER BY picture.side, criterion)
     FROM (SELECT side, CASE WHEN arm_id = $2::uuid THEN 0.2 ELSE 0 END
             + (hashtext(slot.item_id::text) % 100) / 200.0 + (hashtext(seat.id::text) % 100) / 200.0 AS liking
           FROM study_picture WHERE slot_id = slot.id AND role = 'CANDIDATE') AS picture,
       generate_series(1, cardinality(seat.criteria)) AS criterion),
    slot.id::text, 1000, 'none', clock_timestamp(), 'bulk'
  FROM study_slot AS slot JOIN study_seat AS seat ON seat.id = slot.seat_id
  WHERE slot.study_id = $1::uuid AND slot.kind = 'RATING'`;

/** Makes it, answers it and unseals it. */
export async function largeStudy(services: Services, shape: LargeStudy, given?: StudyParts): Promise<Study> {
  const { pool } = services.store;
  const parts = given ?? (await writeStudyParts(services, Math.max(shape.pictures, shape.signals)));
  const benchmark = await createBenchmark(
    services,
    benchmarkOrder(parts, {
      pairing: 'CROSSED',
      imageIds: parts.imageIds.slice(0, shape.pictures),
      signals: parts.trialIds.slice(0, shape.signals).map((id) => [id]),
    }),
    { submittedBy: 'test' },
  );
  await endAllJobs(services);
  await freezeBenchmark(services, benchmark.id);
  const study = await createStudy(services, {
    name: 'a large study',
    benchmarkId: benchmark.id,
    criteria: Array.from({ length: shape.criteria }, (_, i) => ({
      name: `criterion ${i}`,
      question: 'How good?',
    })),
    raters: shape.raters,
    groups: shape.groups,
    showSource: false,
    showStimulus: false,
    seed: 1,
  });
  await pilotStudy(services, study.id, { seed: 1, difference: 0.3, studies: 1 });
  await openStudy(services, study.id);
  await pool.query(SEAT, [study.id]);
  const { rows } = await pool.query<{ id: string }>(
    'SELECT id FROM benchmark_arm WHERE benchmark_id = $1::uuid AND position = 0',
    [benchmark.id],
  );
  await pool.query(ANSWER, [study.id, rows[0]!.id]);
  await pool.query(
    `UPDATE study_rater SET excluded_at = clock_timestamp(), exclusion_reason = 'for the sake of it'
     WHERE id IN (SELECT rater_id FROM study_seat WHERE study_id = $1::uuid ORDER BY number LIMIT $2)`,
    [study.id, shape.excluded ?? 0],
  );
  await pool.query(
    'ANALYZE study_event, study_slot, study_seat, study_rater, study_picture, painting, paint_job',
  );
  await closeStudy(services, study.id);
  return unsealStudy(services, study.id);
}
