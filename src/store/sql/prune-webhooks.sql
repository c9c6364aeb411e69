-- Removes events that happened more than $1 days ago and wait for nobody, with their deliveries; at most 1000 at a time.
DELETE FROM webhook_event WHERE id IN (
  SELECT id FROM webhook_event AS event
  WHERE created_at < clock_timestamp() - make_interval(days => $1)
    AND NOT EXISTS (SELECT FROM webhook_delivery WHERE event_id = event.id AND next_attempt_at IS NOT NULL)
  LIMIT 1000)
