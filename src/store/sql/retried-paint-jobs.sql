-- Jobs to try again, as they were ordered: $1 ids, whatever their states, or $2 a batch, of which those that can be retried.
SELECT id, state::text AS state, image_id AS "imageId", mask_id AS "maskId", model_id AS "modelId", method::text AS method,
  seed::float8 AS seed, steps, guidance_scale AS "guidanceScale", painting_count AS "paintingCount",
  ARRAY(SELECT trial_id FROM paint_job_trial WHERE job_id = id AND NOT shuffled ORDER BY trial_id) AS "trialIds",
  ARRAY(SELECT trial_id FROM paint_job_trial WHERE job_id = id AND shuffled ORDER BY trial_id) AS "shuffledTrialIds"
FROM paint_job
WHERE withdrawn_at IS NULL
  AND (id = ANY ($1::uuid[]) OR batch_id = $2::uuid AND state IN ('FAILED', 'CANCELLED', 'ABORTED'))
ORDER BY id
