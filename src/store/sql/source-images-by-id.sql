-- $1 ids.
SELECT id, sha256, format, width, height, size_bytes AS "sizeBytes", png_sha256 AS "pngSha256",
  thumbnail_sha256 AS "thumbnailSha256", created_at AS "createdAt", name, notes, version,
  deleted_at AS "deletedAt", deleted_reason AS "deletedReason", deleted_by_id AS "deletedById"
FROM source_image WHERE id = ANY ($1::uuid[])
