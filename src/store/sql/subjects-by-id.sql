-- Those that are not withdrawn. $1 ids.
SELECT id, label, simulated, created_at AS "createdAt", withdrawn_at AS "withdrawnAt", withdrawal_reason AS "withdrawalReason",
  notes, version, deleted_at AS "deletedAt", deleted_reason AS "deletedReason", deleted_by_id AS "deletedById"
FROM subject WHERE id = ANY ($1::uuid[]) AND withdrawn_at IS NULL
