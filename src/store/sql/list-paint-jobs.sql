-- Paint jobs from the newest, or from the one after a job, as one JSON list: 50 rows of 28 columns take the driver three times as
-- long one by one. services/lists.ts turns it round for those from the oldest. Planned anew each time, since the filters decide which
-- index serves. $1 state or null, $2 batch or null, $3 id of that job or null, $4 how many.
SELECT coalesce(json_agg(job), '[]') AS jobs FROM (
  SELECT id, image_id AS "imageId", mask_id AS "maskId", model_id AS "modelId", method, seed, steps,
    guidance_scale AS "guidanceScale", painting_count AS "paintingCount", state, cancel_requested AS "cancelRequested", attempt,
    steps_done AS "stepsDone", steps_total AS "stepsTotal", error_code AS "errorCode", error_message AS "errorMessage",
    created_at AS "createdAt", started_at AS "startedAt", finished_at AS "finishedAt", batch_id AS "batchId",
    submitted_by AS "submittedBy", retried_from_id AS "retriedFromId", priority, share_tag AS "shareTag", share_cost AS "shareCost",
    start_deadline AS "startDeadline", worker_id AS "workerId", withdrawn_at AS "withdrawnAt"
  FROM paint_job
  WHERE withdrawn_at IS NULL
    AND ($1::"PaintJobState" IS NULL OR state = $1::"PaintJobState")
    AND ($2::uuid IS NULL OR batch_id = $2::uuid)
    AND ($3::uuid IS NULL OR id < $3::uuid)
  ORDER BY id DESC LIMIT $4
) AS job
