-- A rater's word on a painting: rating, revision and audit event at once, in one round trip. A new rating, or the next revision of
-- theirs. Gives whether the painting was found, and the rating; it is null, and nothing was written, where there is no painting, or
-- where the rater's first word of another request came in between, which this statement cannot see yet: ask again.
-- $1 id of a new rating, $2 painting, $3 rater, $4 score, $5 id of the event, $6 user, $7 credential or null.
WITH found AS (
  SELECT painting.id FROM painting JOIN paint_job ON paint_job.id = painting.job_id
  WHERE painting.id = $2::uuid AND paint_job.withdrawn_at IS NULL
), before AS (
  -- The lock waits for the rater's other words, so that this is what stands.
  SELECT score, revision FROM rating WHERE painting_id = $2::uuid AND rater_id = $3::uuid FOR UPDATE
), rated AS (
  INSERT INTO rating (id, painting_id, rater_id, score)
  SELECT $1::uuid, found.id, $3::uuid, $4::smallint FROM found LEFT JOIN before ON true
  ON CONFLICT (painting_id, rater_id) DO UPDATE
    SET score = excluded.score, revision = rating.revision + 1, updated_at = clock_timestamp()
    WHERE EXISTS (SELECT FROM before)
  RETURNING id, painting_id AS "paintingId", rater_id AS "raterId", score, revision, created_at AS "createdAt",
    updated_at AS "updatedAt"
), revised AS (
  INSERT INTO rating_revision (rating_id, number, score) SELECT id, revision, score FROM rated
), audited AS (
  INSERT INTO audit_event (id, user_id, credential_id, action, entity_type, entity_id, before, after)
  SELECT $5::uuid, $6::uuid, $7::uuid, 'ratePainting', 'Rating', rated.id::text,
    CASE WHEN before.revision IS NOT NULL THEN to_jsonb(before) END,
    to_jsonb(rated) || jsonb_build_object(
      'createdAt', to_char("createdAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'updatedAt', to_char("updatedAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
  FROM rated LEFT JOIN before ON true
)
SELECT EXISTS (SELECT FROM found) AS found, rated.* FROM (SELECT) AS one LEFT JOIN rated ON true
