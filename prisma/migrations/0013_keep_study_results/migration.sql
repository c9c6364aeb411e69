-- The results of an unsealed study, computed once. They are right for as long as depends_on is what it is made from: the
-- record, the raters with what was decided about them, and the paintings that were withdrawn.
CREATE TABLE study_results (
  study_id uuid PRIMARY KEY REFERENCES study (id),
  depends_on text NOT NULL CHECK (depends_on ~ '^[0-9a-f]{64}$'),
  -- json, not jsonb: kept as it was written.
  results json NOT NULL,
  computed_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- The ratings that count, a row a painting: each seat's rater's last word on each screen of the study proper. The study is
-- among the columns of DISTINCT ON, so that a question about one study reads the events of that one alone. The two conditions in CASE
-- and cardinality are what nearly every row meets: as equalities the planner took a whole study for two rows, and looped.
CREATE VIEW study_painting_rating AS
WITH last AS (
  SELECT DISTINCT ON (event.study_id, event.rater_id, event.slot_id) event.*
  FROM study_event AS event ORDER BY event.study_id, event.rater_id, event.slot_id, event.number DESC
)
SELECT last.study_id, last.rater_id, seat.number AS seat_number, seat.group_number, last.slot_id,
  slot.position AS slot_position, slot.item_id, slot.arms_key, picture.arm_id,
  -- By criterion, in the protocol's order.
  last.answers[picture.side * cardinality(seat.criteria) + 1 : (picture.side + 1) * cardinality(seat.criteria)] AS ratings,
  last.response_ms, last.at, last.number AS event_number
FROM last
JOIN study_slot AS slot ON slot.id = last.slot_id AND slot.kind = 'RATING'
JOIN study_seat AS seat ON seat.id = slot.seat_id
  AND CASE WHEN seat.rater_id = last.rater_id THEN true ELSE false END
JOIN study_picture AS picture ON picture.slot_id = slot.id AND picture.role = 'CANDIDATE'
JOIN painting ON painting.id = picture.painting_id
JOIN paint_job ON paint_job.id = painting.job_id AND paint_job.withdrawn_at IS NULL
-- An answer that was taken back is an empty one.
WHERE cardinality(last.answers) > 0;

CREATE OR REPLACE VIEW study_rating AS
SELECT study_id, rater_id, seat_number, group_number, slot_id, item_id, arms_key, arm_id, rating.criterion, rating.value,
  response_ms, at, event_number
FROM study_painting_rating CROSS JOIN LATERAL unnest(ratings) WITH ORDINALITY AS rating (value, criterion);
