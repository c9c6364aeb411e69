-- What the jobs of a page lead to, each kind as one JSON list, null where there is none: one round trip for all of it.
-- $1 ids of source images; $2 ids of jobs whose trials are asked for, and $3 whether with session and subject; $4 ids of jobs whose
-- paintings are asked for. What belongs to a withdrawn subject is not there.
WITH job_trial AS MATERIALIZED (
  SELECT job.job_id AS "jobId", job.shuffled, trial.id, trial.session_id AS "sessionId", trial.index, trial.stimulus,
    trial.repetition
  FROM paint_job_trial AS job JOIN trial ON trial.id = job.trial_id
  WHERE job.job_id = ANY ($2::uuid[]) ORDER BY job.trial_id
)
SELECT
  (SELECT json_agg(image) FROM (
    SELECT id, sha256, format, width, height, size_bytes AS "sizeBytes", png_sha256 AS "pngSha256",
      thumbnail_sha256 AS "thumbnailSha256", created_at AS "createdAt", name, notes, version,
      deleted_at AS "deletedAt", deleted_reason AS "deletedReason", deleted_by_id AS "deletedById"
    FROM source_image WHERE id = ANY ($1::uuid[])) AS image) AS images,
  (SELECT json_agg(job_trial) FROM job_trial) AS trials,
  (SELECT json_agg(session) FROM (
    SELECT id, subject_id AS "subjectId", label, voxels, constant_voxels AS "constantVoxels", normalisation,
      upload_sha256 AS "uploadSha256", betas_sha256 AS "betasSha256", created_at AS "createdAt", notes, version,
      deleted_at AS "deletedAt", deleted_reason AS "deletedReason", deleted_by_id AS "deletedById",
      (SELECT to_json(subject) FROM (
        SELECT id, label, simulated, created_at AS "createdAt", withdrawn_at AS "withdrawnAt",
          withdrawal_reason AS "withdrawalReason", notes, version, deleted_at AS "deletedAt", deleted_reason AS "deletedReason",
          deleted_by_id AS "deletedById"
        FROM subject WHERE subject.id = fmri_session.subject_id AND subject.withdrawn_at IS NULL) AS subject) AS subject
    FROM fmri_session
    WHERE $3::boolean AND id = ANY (ARRAY(SELECT "sessionId" FROM job_trial))) AS session
    WHERE session.subject IS NOT NULL) AS sessions,
  (SELECT json_agg(painting) FROM (
    SELECT id, job_id AS "jobId", index, png_sha256 AS "pngSha256", thumbnail_sha256 AS "thumbnailSha256",
      outside_mask_different_pixels AS "outsideMaskDifferentPixels", created_at AS "createdAt"
    FROM painting WHERE job_id = ANY ($4::uuid[]) ORDER BY index) AS painting) AS paintings
