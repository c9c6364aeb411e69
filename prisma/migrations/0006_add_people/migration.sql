CREATE TYPE "Role" AS ENUM ('ADMIN', 'RESEARCHER', 'RATER');
CREATE TYPE "Scope" AS ENUM ('READ', 'RATE', 'WRITE', 'MANAGE');
CREATE TYPE "CredentialKind" AS ENUM ('TOKEN', 'RATER_LINK', 'SESSION');

CREATE TABLE lab_user (
  id uuid PRIMARY KEY,
  name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
  role "Role" NOT NULL,
  version integer NOT NULL DEFAULT 1 CHECK (version > 0),
  deactivated_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- Who sits at the machine itself; signed in without a token where the server listens on loopback only.
INSERT INTO lab_user (id, name, role) VALUES (gen_random_uuid(), 'local', 'ADMIN');

CREATE TABLE credential (
  id uuid PRIMARY KEY,
  kind "CredentialKind" NOT NULL,
  user_id uuid NOT NULL REFERENCES lab_user (id),
  -- The token or link that a session was started with; the session ends with it.
  parent_id uuid REFERENCES credential (id),
  name text NOT NULL,
  secret_hash bytea NOT NULL,
  scopes "Scope"[] NOT NULL,
  expires_at timestamptz(3) NOT NULL,
  revoked_at timestamptz(3),
  last_used_at timestamptz(3),
  use_count integer NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CHECK ((kind = 'SESSION') = (parent_id IS NOT NULL))
);
CREATE INDEX ON credential (user_id);
CREATE INDEX ON credential (parent_id);

CREATE TABLE audit_event (
  id uuid PRIMARY KEY,
  -- Null: the platform itself.
  user_id uuid REFERENCES lab_user (id),
  credential_id uuid REFERENCES credential (id),
  action text NOT NULL,
  entity_type text NOT NULL,
  entity_id text NOT NULL,
  before jsonb,
  after jsonb,
  at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX ON audit_event (entity_type, entity_id);
CREATE INDEX ON audit_event (user_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_event
  FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A rating belongs to a person, not to a text: every name that was written becomes one.
INSERT INTO lab_user (id, name, role)
  SELECT gen_random_uuid(), rater, 'RATER' FROM (SELECT DISTINCT rater FROM rating WHERE rater <> 'local') AS named;
ALTER TABLE rating ADD COLUMN rater_id uuid REFERENCES lab_user (id);
UPDATE rating SET rater_id = lab_user.id FROM lab_user WHERE lab_user.name = rating.rater;
ALTER TABLE rating ALTER COLUMN rater_id SET NOT NULL;
ALTER TABLE rating DROP COLUMN rater;
ALTER TABLE rating ADD UNIQUE (painting_id, rater_id);
CREATE INDEX ON rating (rater_id);
