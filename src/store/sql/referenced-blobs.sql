-- Which of some hashes rows name. $1 hashes. Every column of a sha256 stands here, those of uploads and requests too: one that
-- is asked for needlessly costs little, and what a missing one names would be removed. test/db/housekeeping.test.ts compares.
SELECT upload_sha256 AS hash FROM fmri_session WHERE upload_sha256 = ANY ($1::text[])
UNION SELECT betas_sha256 FROM fmri_session WHERE betas_sha256 = ANY ($1::text[])
UNION SELECT sha256 FROM source_image WHERE sha256 = ANY ($1::text[])
UNION SELECT png_sha256 FROM source_image WHERE png_sha256 = ANY ($1::text[])
UNION SELECT thumbnail_sha256 FROM source_image WHERE thumbnail_sha256 = ANY ($1::text[])
UNION SELECT sha256 FROM mask WHERE sha256 = ANY ($1::text[])
UNION SELECT png_sha256 FROM mask WHERE png_sha256 = ANY ($1::text[])
UNION SELECT request_sha256 FROM paint_job_batch WHERE request_sha256 = ANY ($1::text[])
UNION SELECT png_sha256 FROM painting WHERE png_sha256 = ANY ($1::text[])
UNION SELECT png_sha256 FROM study_picture WHERE png_sha256 = ANY ($1::text[])
UNION SELECT thumbnail_sha256 FROM painting WHERE thumbnail_sha256 = ANY ($1::text[])
