CREATE TYPE "BenchmarkPairing" AS ENUM ('RANDOM', 'CROSSED');
CREATE TYPE "StudyState" AS ENUM ('DRAFT', 'PILOTED', 'OPEN', 'PAUSED', 'CLOSED', 'UNSEALED');
CREATE TYPE "StudyLayout" AS ENUM ('SINGLE', 'PAIR');
CREATE TYPE "StudyRaterState" AS ENUM ('INVITED', 'ACTIVE', 'PAUSED', 'FINISHED', 'REPLACED');
CREATE TYPE "StudySlotKind" AS ENUM ('PRACTICE', 'RATING', 'INSTRUCTED', 'DUPLICATE', 'GROSS_FAILURE');
CREATE TYPE "StudyPictureRole" AS ENUM ('CANDIDATE', 'SOURCE', 'STIMULUS');
CREATE TYPE "StudyEventKind" AS ENUM ('RATE', 'UNDO');

-- Pictures and brain signals, paired, and the arms that paint each pair.
CREATE TABLE benchmark (
  id uuid PRIMARY KEY,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  pairing "BenchmarkPairing" NOT NULL,
  seed bigint NOT NULL CHECK (seed BETWEEN 0 AND 4294967295),
  mask_policy jsonb NOT NULL,
  batch_id uuid NOT NULL UNIQUE REFERENCES paint_job_batch (id),
  -- Over items, arms and the paintings' hashes; set with frozen_at.
  items_sha256 text CHECK (items_sha256 ~ '^[0-9a-f]{64}$'),
  frozen_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CHECK ((items_sha256 IS NULL) = (frozen_at IS NULL))
);
CREATE TABLE benchmark_arm (
  id uuid PRIMARY KEY,
  benchmark_id uuid NOT NULL REFERENCES benchmark (id),
  position integer NOT NULL CHECK (position >= 0),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  method "PaintMethod" NOT NULL,
  model_id uuid NOT NULL REFERENCES model (id),
  steps integer NOT NULL CHECK (steps > 0),
  guidance_scale double precision NOT NULL,
  UNIQUE (benchmark_id, position),
  UNIQUE (benchmark_id, name)
);
CREATE TABLE benchmark_item (
  id uuid PRIMARY KEY,
  benchmark_id uuid NOT NULL REFERENCES benchmark (id),
  position integer NOT NULL CHECK (position >= 0),
  image_id uuid NOT NULL REFERENCES source_image (id),
  mask_id uuid NOT NULL REFERENCES mask (id),
  -- Name of what was seen, where all trials are of one stimulus.
  stimulus text,
  trial_ids uuid[] NOT NULL CHECK (cardinality(trial_ids) BETWEEN 1 AND 100),
  UNIQUE (benchmark_id, position)
);
CREATE TABLE benchmark_cell (
  item_id uuid NOT NULL REFERENCES benchmark_item (id),
  arm_id uuid NOT NULL REFERENCES benchmark_arm (id),
  benchmark_id uuid NOT NULL REFERENCES benchmark (id),
  -- The job that counts: a retry takes the place of the one that failed.
  job_id uuid NOT NULL UNIQUE REFERENCES paint_job (id),
  painting_id uuid UNIQUE REFERENCES painting (id),
  PRIMARY KEY (item_id, arm_id)
);
CREATE INDEX ON benchmark_cell (benchmark_id);

-- What is frozen stays, whoever writes.
CREATE FUNCTION refuse_change_of_frozen_benchmark() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  touched uuid := CASE WHEN TG_OP = 'INSERT' THEN NEW.benchmark_id ELSE OLD.benchmark_id END;
BEGIN
  IF EXISTS (SELECT FROM benchmark WHERE id = touched AND frozen_at IS NOT NULL) THEN
    RAISE EXCEPTION 'benchmark % is frozen', touched;
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER frozen BEFORE INSERT OR UPDATE OR DELETE ON benchmark_arm
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen_benchmark();
CREATE TRIGGER frozen BEFORE INSERT OR UPDATE OR DELETE ON benchmark_item
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen_benchmark();
CREATE TRIGGER frozen BEFORE INSERT OR UPDATE OR DELETE ON benchmark_cell
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen_benchmark();
CREATE FUNCTION guard_benchmark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.frozen_at IS NOT NULL THEN
    RAISE EXCEPTION 'benchmark % is frozen', OLD.id;
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  IF NEW.frozen_at IS NOT NULL
    AND EXISTS (SELECT FROM benchmark_cell WHERE benchmark_id = NEW.id AND painting_id IS NULL) THEN
    RAISE EXCEPTION 'benchmark % has cells without a painting', NEW.id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER frozen BEFORE UPDATE OR DELETE ON benchmark FOR EACH ROW EXECUTE FUNCTION guard_benchmark();

-- A human evaluation of a frozen benchmark.
CREATE TABLE study (
  id uuid PRIMARY KEY,
  benchmark_id uuid NOT NULL REFERENCES benchmark (id),
  -- The version before: an open protocol never changes, a new version is a study of its own.
  previous_id uuid UNIQUE REFERENCES study (id),
  version integer NOT NULL DEFAULT 1 CHECK (version > 0),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  state "StudyState" NOT NULL DEFAULT 'DRAFT',
  layout "StudyLayout" NOT NULL,
  seed bigint NOT NULL CHECK (seed BETWEEN 0 AND 4294967295),
  -- Of the design: the same seed and protocol give the same slots.
  algorithm text NOT NULL,
  -- All that raters are shown and asked, and the rules; hashed when the study opens.
  protocol jsonb NOT NULL,
  protocol_sha256 text CHECK (protocol_sha256 ~ '^[0-9a-f]{64}$'),
  -- Of simulated raters; never among the ratings.
  pilot jsonb,
  -- Root of the hash chains over all rating events; set at close.
  chain_root text CHECK (chain_root ~ '^[0-9a-f]{64}$'),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  opened_at timestamptz(3),
  closed_at timestamptz(3),
  unsealed_at timestamptz(3),
  CHECK ((state IN ('DRAFT', 'PILOTED')) = (opened_at IS NULL)),
  CHECK ((protocol_sha256 IS NULL) = (opened_at IS NULL)),
  CHECK ((state IN ('CLOSED', 'UNSEALED')) = (closed_at IS NOT NULL)),
  CHECK ((state = 'UNSEALED') = (unsealed_at IS NOT NULL)),
  CHECK ((chain_root IS NULL) = (closed_at IS NULL))
);
CREATE INDEX ON study (benchmark_id);

-- A person in a study.
CREATE TABLE study_rater (
  id uuid PRIMARY KEY,
  study_id uuid NOT NULL REFERENCES study (id),
  user_id uuid NOT NULL REFERENCES lab_user (id),
  state "StudyRaterState" NOT NULL DEFAULT 'INVITED',
  -- The page that may write: the one opened last.
  tab_id uuid,
  consent_version text,
  consent_sha256 text,
  consented_at timestamptz(3),
  last_seen_at timestamptz(3),
  finished_at timestamptz(3),
  failed_checks integer NOT NULL DEFAULT 0,
  pause_reason text,
  excluded_at timestamptz(3),
  exclusion_reason text,
  -- Rating events so far, and the hash of the last one.
  event_count integer NOT NULL DEFAULT 0,
  chain_head text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (study_id, user_id),
  CHECK ((state = 'PAUSED') = (pause_reason IS NOT NULL)),
  CHECK ((state = 'FINISHED') = (finished_at IS NOT NULL)),
  CHECK ((excluded_at IS NULL) = (exclusion_reason IS NULL))
);
CREATE INDEX ON study_rater (user_id);

-- A place in the design: one rater's sequence, leased to who starts it.
CREATE TABLE study_seat (
  id uuid PRIMARY KEY,
  study_id uuid NOT NULL REFERENCES study (id),
  number integer NOT NULL CHECK (number > 0),
  group_number integer NOT NULL CHECK (group_number > 0),
  criteria text[] NOT NULL CHECK (cardinality(criteria) > 0),
  rater_id uuid UNIQUE REFERENCES study_rater (id),
  UNIQUE (study_id, number)
);

-- One screen of a seat.
CREATE TABLE study_slot (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  study_id uuid NOT NULL REFERENCES study (id),
  seat_id uuid NOT NULL REFERENCES study_seat (id),
  position integer NOT NULL CHECK (position >= 0),
  kind "StudySlotKind" NOT NULL,
  item_id uuid REFERENCES benchmark_item (id),
  -- The arms shown, sorted and joined: which of an item's screens it is.
  arms_key text NOT NULL,
  -- Which of the item's raters this is; with the keys below, no painting gets more raters than planned.
  overlap integer,
  overlap_limit integer NOT NULL,
  expected smallint,
  repeats_position integer,
  UNIQUE (seat_id, position),
  CHECK ((kind = 'RATING') = (overlap IS NOT NULL)),
  CHECK (overlap >= 0 AND overlap < overlap_limit),
  CHECK ((kind = 'INSTRUCTED') = (item_id IS NULL)),
  CHECK ((kind IN ('INSTRUCTED', 'GROSS_FAILURE')) = (expected IS NOT NULL)),
  CHECK ((kind = 'DUPLICATE') = (repeats_position IS NOT NULL))
);
CREATE UNIQUE INDEX study_slot_overlap_key ON study_slot (study_id, item_id, arms_key, overlap) WHERE kind = 'RATING';
CREATE UNIQUE INDEX study_slot_rater_key ON study_slot (seat_id, item_id, arms_key) WHERE kind = 'RATING';

-- What a screen shows, under ids that say nothing.
CREATE TABLE study_picture (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  slot_id uuid NOT NULL REFERENCES study_slot (id),
  role "StudyPictureRole" NOT NULL,
  -- From the left.
  side smallint NOT NULL CHECK (side >= 0),
  -- Null for what is no painting, or one that was broken on purpose.
  arm_id uuid REFERENCES benchmark_arm (id),
  painting_id uuid REFERENCES painting (id),
  png_sha256 text NOT NULL,
  UNIQUE (slot_id, role, side),
  CHECK ((arm_id IS NULL) = (painting_id IS NULL))
);

-- What raters said, as they said it: append-only, each event hashed with the one before it by the same rater.
CREATE TABLE study_event (
  rater_id uuid NOT NULL REFERENCES study_rater (id),
  number integer NOT NULL CHECK (number > 0),
  study_id uuid NOT NULL REFERENCES study (id),
  slot_id uuid NOT NULL REFERENCES study_slot (id),
  kind "StudyEventKind" NOT NULL,
  -- Side by side from the left, the study's criteria within each; empty for UNDO.
  answers smallint[] NOT NULL CHECK (1 <= ALL (answers)),
  -- Drawn by the client for each answer: the same one twice is one answer.
  client_id text NOT NULL CHECK (length(client_id) BETWEEN 1 AND 100),
  -- From the pictures decoded to the answer.
  response_ms integer CHECK (response_ms >= 0),
  consent_sha256 text NOT NULL,
  at timestamptz(3) NOT NULL,
  hash text NOT NULL,
  PRIMARY KEY (rater_id, number),
  UNIQUE (rater_id, client_id),
  CHECK ((kind = 'UNDO') = (cardinality(answers) = 0))
);
CREATE INDEX ON study_event (study_id);
CREATE INDEX ON study_event (slot_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON study_event FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The design and the protocol stand once the study is open, and so does what is written into it after its end.
CREATE FUNCTION refuse_change_of_open_study() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  touched uuid;
BEGIN
  IF TG_TABLE_NAME = 'study_picture' THEN
    SELECT study_id INTO touched FROM study_slot
    WHERE id = CASE WHEN TG_OP = 'INSERT' THEN NEW.slot_id ELSE OLD.slot_id END;
  ELSE
    touched := CASE WHEN TG_OP = 'INSERT' THEN NEW.study_id ELSE OLD.study_id END;
  END IF;
  IF EXISTS (SELECT FROM study WHERE id = touched AND opened_at IS NOT NULL) THEN
    RAISE EXCEPTION 'study % is open: its design stands', touched;
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER design_stands BEFORE INSERT OR UPDATE OR DELETE ON study_slot
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_open_study();
CREATE TRIGGER design_stands BEFORE INSERT OR UPDATE OR DELETE ON study_picture
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_open_study();
CREATE FUNCTION guard_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.opened_at IS NOT NULL AND (NEW.protocol, NEW.protocol_sha256, NEW.seed, NEW.algorithm, NEW.layout, NEW.benchmark_id)
    IS DISTINCT FROM (OLD.protocol, OLD.protocol_sha256, OLD.seed, OLD.algorithm, OLD.layout, OLD.benchmark_id) THEN
    RAISE EXCEPTION 'the protocol of study % is frozen', OLD.id;
  END IF;
  IF OLD.closed_at IS NOT NULL AND (NEW.chain_root, NEW.closed_at) IS DISTINCT FROM (OLD.chain_root, OLD.closed_at) THEN
    RAISE EXCEPTION 'study % is closed', OLD.id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER protocol_stands BEFORE UPDATE ON study FOR EACH ROW EXECUTE FUNCTION guard_study();

-- The ratings that count: each seat's rater's last word on each screen of the study proper, a row a painting and criterion.
CREATE VIEW study_rating AS
WITH last AS (
  SELECT DISTINCT ON (event.rater_id, event.slot_id) event.*
  FROM study_event AS event ORDER BY event.rater_id, event.slot_id, event.number DESC
)
SELECT last.study_id, last.rater_id, seat.number AS seat_number, seat.group_number, last.slot_id, slot.item_id, slot.arms_key,
  picture.arm_id, 1 + (answer.place - 1) % cardinality(seat.criteria) AS criterion, answer.value, last.response_ms, last.at,
  last.number AS event_number
FROM last
JOIN study_slot AS slot ON slot.id = last.slot_id AND slot.kind = 'RATING'
JOIN study_seat AS seat ON seat.id = slot.seat_id AND seat.rater_id = last.rater_id
CROSS JOIN LATERAL unnest(last.answers) WITH ORDINALITY AS answer (value, place)
JOIN study_picture AS picture ON picture.slot_id = slot.id AND picture.role = 'CANDIDATE'
  AND picture.side = (answer.place - 1) / cardinality(seat.criteria)
JOIN painting ON painting.id = picture.painting_id
JOIN paint_job ON paint_job.id = painting.job_id AND paint_job.withdrawn_at IS NULL;
