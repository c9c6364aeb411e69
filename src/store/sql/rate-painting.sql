-- A rater's word on a painting: a new rating, or the next revision of theirs, whose row stays locked. No row where there is no
-- such painting, or it was withdrawn. $1 id for a new one, $2 painting, $3 rater, $4 score.
INSERT INTO rating (id, painting_id, rater_id, score)
SELECT $1::uuid, painting.id, $3::uuid, $4::smallint
FROM painting JOIN paint_job ON paint_job.id = painting.job_id
WHERE painting.id = $2::uuid AND paint_job.withdrawn_at IS NULL
ON CONFLICT (painting_id, rater_id) DO UPDATE
  SET score = excluded.score, revision = rating.revision + 1, updated_at = clock_timestamp()
RETURNING id, painting_id AS "paintingId", rater_id AS "raterId", score, revision, created_at AS "createdAt", updated_at AS "updatedAt"
