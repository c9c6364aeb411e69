-- The trace that a submission belongs to (W3C traceparent), so that its jobs' attempts join it.
ALTER TABLE paint_job_batch ADD COLUMN trace_parent text;

CREATE TYPE "WebhookEventType" AS ENUM ('PAINT_JOB_ENDED', 'PAINT_JOB_BATCH_ENDED', 'TRAINING_RUN_ENDED', 'TEST');
CREATE TYPE "WebhookDeliveryState" AS ENUM ('PENDING', 'SUCCEEDED', 'FAILED');

-- An address that is told of what happens.
CREATE TABLE webhook_endpoint (
  id uuid PRIMARY KEY,
  url text NOT NULL,
  description text NOT NULL DEFAULT '',
  event_types "WebhookEventType"[] NOT NULL,
  secret text NOT NULL,
  previous_secret text,
  previous_secret_until timestamptz(3),
  disabled_at timestamptz(3),
  disabled_reason text,
  failing_since timestamptz(3),
  failures integer NOT NULL DEFAULT 0,
  resume_at timestamptz(3),
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  deleted_at timestamptz(3),
  CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
  CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL))
);

-- The outbox: what happened, written in the transaction in which it did. Its id is the webhook-id of all its deliveries.
CREATE TABLE webhook_event (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  type "WebhookEventType" NOT NULL,
  entity_id uuid NOT NULL,
  batch_id uuid,
  state text,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX ON webhook_event (created_at);

CREATE TABLE webhook_delivery (
  id uuid PRIMARY KEY,
  event_id uuid NOT NULL REFERENCES webhook_event (id) ON DELETE CASCADE,
  endpoint_id uuid NOT NULL REFERENCES webhook_endpoint (id),
  state "WebhookDeliveryState" NOT NULL DEFAULT 'PENDING',
  -- Attempts since it was last asked for: a redelivery counts anew.
  tries integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz(3) DEFAULT CURRENT_TIMESTAMP,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (endpoint_id, event_id),
  CHECK ((state = 'PENDING') = (next_attempt_at IS NOT NULL))
);
CREATE INDEX ON webhook_delivery (endpoint_id, next_attempt_at);
CREATE INDEX ON webhook_delivery (endpoint_id, id);
CREATE INDEX ON webhook_delivery (event_id);

CREATE TABLE webhook_attempt (
  delivery_id uuid NOT NULL REFERENCES webhook_delivery (id) ON DELETE CASCADE,
  number integer NOT NULL,
  started_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  duration_ms integer,
  status_code integer,
  error text,
  PRIMARY KEY (delivery_id, number)
);

-- Wakes the sender of an endpoint: now, or, when it is not to be woken before anyway, at `at`. The queue's lane of the name runs
-- one sender an endpoint at a time.
CREATE FUNCTION wake_webhook_endpoint(endpoint uuid, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM graphile_worker.add_job('webhooks', json_build_object('endpointId', endpoint),
    queue_name := 'webhooks:' || endpoint, job_key := 'webhooks:' || endpoint, run_at := coalesce(at, clock_timestamp()),
    max_attempts := 5, job_key_mode := CASE WHEN at IS NULL THEN 'replace' ELSE 'preserve_run_at' END);
END $$;

-- Time-ordered ids, as the programs draw them.
CREATE FUNCTION new_uuid7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- Events of one type become deliveries to every endpoint that wants them; with no such endpoint nothing is written.
CREATE FUNCTION record_webhook_events(kind "WebhookEventType", entities uuid[], batches uuid[], states text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  endpoints uuid[];
BEGIN
  IF NOT EXISTS (SELECT FROM webhook_endpoint
    WHERE deleted_at IS NULL AND disabled_at IS NULL AND kind = ANY (event_types)) THEN
    RETURN;
  END IF;
  WITH happened AS (
    INSERT INTO webhook_event (type, entity_id, batch_id, state, created_at)
    SELECT kind, entity, batch, state, clock_timestamp() FROM unnest(entities, batches, states) AS e (entity, batch, state)
    RETURNING id
  ), wanted AS (
    INSERT INTO webhook_delivery (id, event_id, endpoint_id)
    SELECT new_uuid7(), happened.id, endpoint.id FROM happened CROSS JOIN webhook_endpoint AS endpoint
    WHERE deleted_at IS NULL AND disabled_at IS NULL AND kind = ANY (event_types)
    RETURNING endpoint_id
  )
  SELECT array_agg(DISTINCT endpoint_id ORDER BY endpoint_id) INTO endpoints FROM wanted;
  -- In one order, so that two transactions do not wait for each other.
  PERFORM wake_webhook_endpoint(endpoint, NULL) FROM unnest(endpoints) AS endpoint;
END $$;

CREATE FUNCTION record_paint_job_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  entities uuid[]; batches uuid[]; states text[];
BEGIN
  SELECT array_agg(a.id ORDER BY a.id), array_agg(a.batch_id ORDER BY a.id), array_agg(a.state::text ORDER BY a.id)
  INTO entities, batches, states
  FROM after_rows AS a JOIN before_rows AS b ON b.id = a.id
  WHERE a.finished_at IS NOT NULL AND b.finished_at IS NULL;
  IF entities IS NULL OR NOT EXISTS (SELECT FROM webhook_endpoint WHERE deleted_at IS NULL AND disabled_at IS NULL) THEN
    RETURN NULL;
  END IF;
  PERFORM record_webhook_events('PAINT_JOB_ENDED', entities, batches, states);
  -- Of two transactions that end a batch's last jobs, the second sees the first: record_paint_job_events holds its lock.
  SELECT array_agg(batch.id), array_agg(NULL::uuid), array_agg(NULL::text) INTO entities, batches, states
  FROM (SELECT DISTINCT unnest(batches) AS id) AS batch
  WHERE batch.id IS NOT NULL AND NOT EXISTS (
    SELECT FROM paint_job WHERE batch_id = batch.id AND state IN ('QUEUED', 'RUNNING'));
  IF entities IS NOT NULL THEN
    PERFORM record_webhook_events('PAINT_JOB_BATCH_ENDED', entities, batches, states);
  END IF;
  RETURN NULL;
END $$;
-- After paint_job_updated, by its name: that one takes the lock.
CREATE TRIGGER paint_job_updated_webhooks AFTER UPDATE ON paint_job
  REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION record_paint_job_webhooks();

CREATE FUNCTION record_training_run_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM record_webhook_events('TRAINING_RUN_ENDED', ARRAY[NEW.id], ARRAY[NULL::uuid], ARRAY[NEW.state::text]);
  RETURN NULL;
END $$;
CREATE TRIGGER training_run_updated_webhooks AFTER UPDATE OF state ON training_run FOR EACH ROW
  WHEN (NEW.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND NEW.state IS DISTINCT FROM OLD.state)
  EXECUTE FUNCTION record_training_run_webhooks();
