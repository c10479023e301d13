-- The platform's own books, in `private`: no tenant ever reads them.

-- One row. Every instance polls it each second; events only hurry.
CREATE TABLE private.revisions (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    identities bigint NOT NULL DEFAULT 0,
    policies bigint NOT NULL DEFAULT 0
);
INSERT INTO private.revisions DEFAULT VALUES;
GRANT SELECT ON private.revisions TO ps_app, ps_ship, ps_reader;

CREATE FUNCTION private.bump_identities() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE private.revisions SET identities = identities + 1;
    RETURN NULL;
END
$$;

CREATE FUNCTION private.bump_policies() RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ UPDATE private.revisions SET policies = policies + 1 RETURNING policies $$;
GRANT EXECUTE ON FUNCTION private.bump_policies() TO ps_app;

CREATE TRIGGER bump_identities AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.tenants
    FOR EACH STATEMENT EXECUTE FUNCTION private.bump_identities();
CREATE TRIGGER bump_identities AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.apps
    FOR EACH STATEMENT EXECUTE FUNCTION private.bump_identities();
-- Not last_used_at: who used a key when is no reason for every instance to forget all keys.
CREATE TRIGGER bump_identities
    AFTER INSERT OR UPDATE OF tenant_id, app_id, hash, expires_at, revoked_at OR DELETE OR TRUNCATE ON public.api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION private.bump_identities();

-- Records that the database refused. `json`, not `jsonb`: it takes \u0000, which may be why the record was refused; and no
-- foreign key, because the tenant may be gone.
CREATE TABLE private.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id bigint,
    received_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL,
    record json NOT NULL
);

-- The last link of each (instance, tenant) chain of decisions.
CREATE TABLE private.chain_heads (
    instance text NOT NULL,
    tenant_id bigint NOT NULL REFERENCES public.tenants ON DELETE CASCADE,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (instance, tenant_id)
);

-- What was erased on purpose, so that a verified chain can tell it from tampering.
CREATE TABLE private.deleted_records (
    decision_id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL,
    instance text NOT NULL,
    seq bigint,
    hash bytea,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL
);

-- What administrators did. `tenant_id` is NULL for what concerns the platform.
CREATE TABLE private.admin_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    action text NOT NULL,
    tenant_id bigint,
    target text NOT NULL DEFAULT '',
    details jsonb NOT NULL DEFAULT '{}'
);

ALTER TABLE private.dead_letters ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE private.chain_heads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE private.deleted_records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE private.admin_audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY ship ON private.dead_letters FOR INSERT TO ps_ship WITH CHECK (true);
CREATE POLICY ship ON private.chain_heads TO ps_ship USING (true) WITH CHECK (true);
CREATE POLICY app ON private.admin_audit FOR INSERT TO ps_app WITH CHECK (true);
CREATE POLICY reader ON private.dead_letters FOR SELECT TO ps_reader USING (true);
CREATE POLICY reader ON private.chain_heads FOR SELECT TO ps_reader USING (true);
CREATE POLICY reader ON private.deleted_records FOR SELECT TO ps_reader USING (true);
CREATE POLICY reader ON private.admin_audit FOR SELECT TO ps_reader USING (true);

GRANT INSERT (tenant_id, reason, record) ON private.dead_letters TO ps_ship;
GRANT SELECT, INSERT, UPDATE ON private.chain_heads TO ps_ship;
GRANT INSERT (actor, action, tenant_id, target, details) ON private.admin_audit TO ps_app;
GRANT SELECT ON private.dead_letters, private.chain_heads, private.deleted_records, private.admin_audit TO ps_reader;
