-- Those of subjects that are not withdrawn. $1 ids.
SELECT id, subject_id AS "subjectId", label, voxels, constant_voxels AS "constantVoxels", normalisation,
  upload_sha256 AS "uploadSha256", betas_sha256 AS "betasSha256", created_at AS "createdAt",
  notes, version, deleted_at AS "deletedAt", deleted_reason AS "deletedReason", deleted_by_id AS "deletedById"
FROM fmri_session
WHERE id = ANY ($1::uuid[])
  AND EXISTS (SELECT FROM subject WHERE subject.id = fmri_session.subject_id AND subject.withdrawn_at IS NULL)
