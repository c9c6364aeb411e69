-- Asks jobs to end: queued ones end at once, running ones between two denoising steps. All given conditions must hold.
-- $1 ids or null, $2 batch or null, $3 state or null, $4 submitter or null.
UPDATE paint_job SET
  cancel_requested = true,
  finished_at = CASE WHEN state = 'QUEUED' THEN clock_timestamp() END,
  state = CASE WHEN state = 'QUEUED' THEN 'CANCELLED' ELSE state END
WHERE state IN ('QUEUED', 'RUNNING') AND NOT cancel_requested
  AND ($1::uuid[] IS NULL OR id = ANY ($1::uuid[]))
  AND ($2::uuid IS NULL OR batch_id = $2::uuid)
  AND ($3::"PaintJobState" IS NULL OR state = $3::"PaintJobState")
  AND ($4::text IS NULL OR submitted_by = $4)
RETURNING id, state::text AS state
