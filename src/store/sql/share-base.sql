-- Where a submitter's next job goes in the fair order (start-time fair queueing, Goyal, Vin and Cheng 1996): behind what
-- it waits for already, and not before what is served now. $1 submitter, $2 priority.
SELECT greatest(
  coalesce(
    (SELECT min(share_tag) FROM paint_job WHERE state = 'QUEUED' AND priority = $2::smallint),
    (SELECT max(share_tag) FROM paint_job WHERE state = 'RUNNING' AND priority = $2::smallint),
    0),
  (SELECT share_tag + share_cost FROM paint_job
   WHERE submitted_by = $1 AND priority = $2::smallint AND state IN ('QUEUED', 'RUNNING')
   ORDER BY share_tag DESC LIMIT 1)
) AS base
