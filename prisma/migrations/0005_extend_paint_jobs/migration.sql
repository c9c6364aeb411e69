ALTER TYPE "PaintJobState" ADD VALUE 'ABORTED';
ALTER TYPE "AttemptOutcome" ADD VALUE 'RELEASED';

-- One submission: a single job or many, written in one transaction.
CREATE TABLE paint_job_batch (
  id uuid PRIMARY KEY,
  submitted_by text NOT NULL DEFAULT 'local',
  idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 255),
  request_sha256 text NOT NULL,
  job_count integer NOT NULL CHECK (job_count > 0),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (submitted_by, idempotency_key)
);

-- What paints: a slot on a host, held by one worker at a time. worker_id is drawn anew by each worker's start.
CREATE TABLE device (
  id uuid PRIMARY KEY,
  host text NOT NULL,
  slot integer NOT NULL CHECK (slot > 0),
  worker_id uuid UNIQUE,
  worker text,
  beat_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  paused_at timestamptz(3),
  pause_reason text,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (host, slot)
);

ALTER TABLE paint_job
  ADD COLUMN batch_id uuid REFERENCES paint_job_batch (id),
  ADD COLUMN submitted_by text NOT NULL DEFAULT 'local',
  ADD COLUMN retried_from_id uuid REFERENCES paint_job (id),
  ADD COLUMN priority smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN -10 AND 10),
  ADD COLUMN share_tag double precision NOT NULL DEFAULT 0,
  ADD COLUMN share_cost double precision NOT NULL DEFAULT 0 CHECK (share_cost >= 0),
  ADD COLUMN start_deadline timestamptz(3),
  ADD COLUMN worker_id uuid,
  ADD COLUMN withdrawn_at timestamptz(3);
UPDATE paint_job SET steps_total = steps * painting_count WHERE steps_total = 0;
-- Those that a worker of the version before held run again.
UPDATE paint_job SET state = 'QUEUED' WHERE state = 'RUNNING';
UPDATE paint_job_attempt SET outcome = 'LOST', ended_at = CURRENT_TIMESTAMP WHERE outcome IS NULL;

DROP INDEX paint_job_state_created_at_idx;
CREATE INDEX ON paint_job (state, id);
CREATE INDEX ON paint_job (batch_id, id);
CREATE INDEX ON paint_job (retried_from_id);
-- The order in which jobs are served.
CREATE INDEX paint_job_serve_idx ON paint_job (priority DESC, share_tag, id) WHERE state = 'QUEUED';
CREATE INDEX paint_job_share_idx ON paint_job (submitted_by, priority, share_tag) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX paint_job_deadline_idx ON paint_job (start_deadline) WHERE state = 'QUEUED' AND start_deadline IS NOT NULL;
CREATE INDEX paint_job_pace_idx ON paint_job (model_id, finished_at DESC) WHERE state = 'SUCCEEDED';
CREATE INDEX ON paint_job_trial (trial_id);

ALTER TABLE subject
  ADD COLUMN withdrawn_at timestamptz(3),
  ADD COLUMN withdrawal_reason text,
  ADD CHECK ((withdrawn_at IS NULL) = (withdrawal_reason IS NULL));
ALTER TABLE model ADD COLUMN withdrawn_at timestamptz(3);

-- The latest preview of a job that runs.
CREATE TABLE paint_job_preview (
  job_id uuid PRIMARY KEY REFERENCES paint_job (id),
  steps_done integer NOT NULL,
  webp bytea NOT NULL
);

-- How a job stood after each change; append-only, numbered in the order of commits.
CREATE TABLE paint_job_event (
  sequence bigserial PRIMARY KEY,
  job_id uuid NOT NULL REFERENCES paint_job (id),
  batch_id uuid,
  state "PaintJobState" NOT NULL,
  attempt integer NOT NULL,
  cancel_requested boolean NOT NULL,
  error_code text,
  error_message text,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON paint_job_event (job_id, sequence);
CREATE INDEX ON paint_job_event (batch_id, sequence);

-- Whoever changes a job, the event is written with it. The lock is held until the commit, so that a number that a reader
-- sees is never followed by a smaller one: else a reader that asks for what came after its last number would miss events.
-- A transaction therefore changes jobs in one statement, or takes this lock first.
CREATE FUNCTION record_paint_job_events() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed uuid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(id ORDER BY id) INTO changed FROM after_rows;
  ELSE
    SELECT array_agg(a.id ORDER BY a.id) INTO changed
    FROM after_rows AS a JOIN before_rows AS b ON b.id = a.id
    WHERE (a.state, a.attempt, a.cancel_requested) IS DISTINCT FROM (b.state, b.attempt, b.cancel_requested);
  END IF;
  IF changed IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM pg_advisory_xact_lock(72707370);
  INSERT INTO paint_job_event (job_id, batch_id, state, attempt, cancel_requested, error_code, error_message)
  SELECT id, batch_id, state, attempt, cancel_requested, error_code, error_message
  FROM after_rows WHERE id = ANY (changed) ORDER BY id;
  -- Who watches one job hears of its end; a thousand ends at once are found by looking.
  PERFORM pg_notify('paint_job_ended', id::text)
  FROM (SELECT id FROM after_rows WHERE finished_at IS NOT NULL AND id = ANY (changed) LIMIT 100) AS ended;
  PERFORM pg_notify('paint_jobs_changed', '');
  RETURN NULL;
END $$;

CREATE TRIGGER paint_job_inserted AFTER INSERT ON paint_job
  REFERENCING NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION record_paint_job_events();
CREATE TRIGGER paint_job_updated AFTER UPDATE ON paint_job
  REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION record_paint_job_events();
