-- The paintings of jobs, by index. $1 ids of jobs.
SELECT id, job_id AS "jobId", index, png_sha256 AS "pngSha256", thumbnail_sha256 AS "thumbnailSha256",
  outside_mask_different_pixels AS "outsideMaskDifferentPixels", created_at AS "createdAt"
FROM painting WHERE job_id = ANY ($1::uuid[]) ORDER BY index
