-- Who runs the firewall: people, programs, their sessions and keys; and the book of what they did, as a chain.

-- A role of its own: what the planes read and write as ps_app never touches a password's hash.
GRANT USAGE ON SCHEMA public, private TO ps_access;
GRANT SELECT ON public.tenants TO ps_access;
CREATE POLICY access ON public.tenants FOR SELECT TO ps_access USING (true);

CREATE TABLE private.users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A colon only where a provider says who it is: nobody's name here passes for one of theirs.
    name text NOT NULL UNIQUE CHECK (name ~ '^(oidc:)?[a-z0-9][a-z0-9._@+-]{0,126}$'),
    role text NOT NULL CHECK (role IN ('platform_admin', 'tenant_admin', 'auditor', 'analyst')),
    tenant_id bigint REFERENCES public.tenants ON DELETE CASCADE,
    password_hash text,
    must_change boolean NOT NULL DEFAULT false,
    issuer text,
    subject text,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    last_sign_in_at timestamptz,
    UNIQUE (issuer, subject),
    CHECK ((issuer IS NULL) = (subject IS NULL)),
    CHECK ((issuer IS NULL) = (name NOT LIKE 'oidc:%')),
    CHECK (issuer IS NULL OR password_hash IS NULL),
    CONSTRAINT users_role_fits_tenant CHECK (
        CASE role WHEN 'platform_admin' THEN tenant_id IS NULL WHEN 'auditor' THEN true ELSE tenant_id IS NOT NULL END
    )
);
CREATE INDEX users_tenant ON private.users (tenant_id);

-- One sign-in: in a browser (a cookie's hash), or with tokens (a family of refresh tokens).
CREATE TABLE private.sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id bigint NOT NULL REFERENCES private.users ON DELETE CASCADE,
    cookie_hash bytea UNIQUE CHECK (octet_length(cookie_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz NOT NULL,
    network text NOT NULL,
    agent text NOT NULL,
    second_factor boolean NOT NULL,
    ended_at timestamptz,
    ended_for text
);
CREATE INDEX sessions_user ON private.sessions (user_id, created_at DESC);
CREATE INDEX sessions_end ON private.sessions (ends_at);

CREATE TABLE private.refresh_tokens (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    session_id uuid NOT NULL REFERENCES private.sessions ON DELETE CASCADE,
    made_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
);
CREATE INDEX refresh_tokens_session ON private.refresh_tokens (session_id);

-- `sealed`: the secret under a key of the house. `last_step`: no code of this or an earlier step is taken again.
CREATE TABLE private.second_factors (
    user_id bigint PRIMARY KEY REFERENCES private.users ON DELETE CASCADE,
    sealed bytea NOT NULL,
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0
);

CREATE TABLE private.recovery_codes (
    user_id bigint NOT NULL REFERENCES private.users ON DELETE CASCADE,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (user_id, hash)
);

-- Sign-ins that wait for something: `code` for the second factor, `oidc` for the provider's answer.
CREATE TABLE private.waiting_sign_ins (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    kind text NOT NULL CHECK (kind IN ('code', 'oidc')),
    sealed bytea NOT NULL,
    ends_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0
);
CREATE INDEX waiting_sign_ins_end ON private.waiting_sign_ins (ends_at);

-- Failed tries, by a keyed hash of whose they are; nothing is taken before `until`.
CREATE TABLE private.throttle (
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    failures integer NOT NULL,
    last_at timestamptz NOT NULL DEFAULT now(),
    until timestamptz NOT NULL
);
CREATE INDEX throttle_last ON private.throttle (last_at);

CREATE TABLE private.service_accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text NOT NULL UNIQUE CHECK (client_id ~ '^sa-[a-z0-9]{16}$'),
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    role text NOT NULL CHECK (role IN ('platform_admin', 'tenant_admin', 'auditor', 'analyst')),
    tenant_id bigint REFERENCES public.tenants ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    last_used_at timestamptz,
    UNIQUE NULLS NOT DISTINCT (tenant_id, name),
    CONSTRAINT service_accounts_role_fits_tenant CHECK (
        CASE role WHEN 'platform_admin' THEN tenant_id IS NULL WHEN 'auditor' THEN true ELSE tenant_id IS NOT NULL END
    )
);

CREATE TABLE private.service_account_secrets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES private.service_accounts ON DELETE CASCADE,
    hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz
);
CREATE INDEX service_account_secrets_account ON private.service_account_secrets (account_id);

-- Keys that sign access tokens (Ed25519), the newest first in use; `sealed` is the private one under a key of the house.
CREATE TABLE private.token_keys (
    kid text PRIMARY KEY CHECK (kid ~ '^[0-9a-f]{16}$'),
    public bytea NOT NULL CHECK (octet_length(public) = 32),
    sealed bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);

-- Whose tokens the data plane takes beside API keys. Keys come from `jwks_url`, or stand in `jwks`.
CREATE TABLE public.tenant_issuers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES public.tenants ON DELETE CASCADE,
    issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
    audience text NOT NULL CHECK (length(audience) BETWEEN 1 AND 500),
    jwks_url text CHECK (jwks_url ~ '^https?://'),
    jwks jsonb,
    claims jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(claims) = 'object'),
    tenant_claim text NOT NULL DEFAULT '',
    app_claim text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, issuer, audience),
    CHECK ((jwks_url IS NULL) <> (jwks IS NULL))
);
CREATE INDEX tenant_issuers_issuer ON public.tenant_issuers (issuer);
CREATE TRIGGER bump_identities AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.tenant_issuers
    FOR EACH STATEMENT EXECUTE FUNCTION private.bump_identities();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'users', 'sessions', 'refresh_tokens', 'second_factors', 'recovery_codes', 'waiting_sign_ins', 'throttle',
        'service_accounts', 'service_account_secrets', 'token_keys'
    ] LOOP
        EXECUTE format('ALTER TABLE private.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY access ON private.%I TO ps_access USING (true) WITH CHECK (true)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON private.%I TO ps_access', name);
    END LOOP;
END
$$;

ALTER TABLE public.tenant_issuers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON public.tenant_issuers TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY app ON public.tenant_issuers TO ps_app
    USING (tenant_id = (SELECT private.current_tenant())) WITH CHECK (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY reader ON public.tenant_issuers FOR SELECT TO ps_reader USING (true);
GRANT SELECT, DELETE,
    INSERT (tenant_id, issuer, audience, jwks_url, jwks, claims, tenant_claim, app_claim) ON public.tenant_issuers TO ps_app;
GRANT SELECT ON public.tenant_issuers TO ps_reader;

-- A token names its issuer, so that is looked up before there is a tenant to set. Dead tenants have none.
CREATE FUNCTION private.find_issuers(sought text)
RETURNS TABLE (
    id bigint, tenant_id bigint, tenant text, audience text, jwks_url text, jwks text, claims text, tenant_claim text,
    app_claim text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.id, t.id, t.slug, i.audience, i.jwks_url, i.jwks::text, i.claims::text, i.tenant_claim, i.app_claim
    FROM public.tenant_issuers AS i JOIN public.tenants AS t ON t.id = i.tenant_id
    WHERE i.issuer = sought AND t.suspended_at IS NULL AND t.deleted_at IS NULL
    ORDER BY i.id LIMIT 32
$$;
GRANT EXECUTE ON FUNCTION private.find_issuers(text) TO ps_app;

-- The admin audit becomes a chain. A trigger makes each link, so that whoever may insert inserts a link, and the head's
-- row is the lock. What was there before is chained in its order.
ALTER TABLE private.admin_audit
    ADD COLUMN seq bigint UNIQUE,
    ADD COLUMN prev bytea,
    ADD COLUMN hash bytea;
CREATE INDEX admin_audit_tenant ON private.admin_audit (tenant_id, seq DESC);

CREATE TABLE private.admin_audit_head (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    seq bigint NOT NULL,
    hash bytea NOT NULL
);
INSERT INTO private.admin_audit_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));
GRANT SELECT ON private.admin_audit_head TO ps_reader, ps_ship;

-- A field as it is hashed: its length in bytes (4, big-endian; -1 for NULL), then its bytes.
CREATE FUNCTION private.audit_field(value text) RETURNS bytea
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8'), int4send(-1))
$$;

-- storage/accounts/audit_chain.py computes the same.
CREATE FUNCTION private.audit_hash(entry private.admin_audit) RETURNS bytea
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT sha256(
        convert_to(E'promptshield.admin_audit\n', 'UTF8') || entry.prev || int8send(entry.seq)
        || private.audit_field((extract(epoch FROM entry.at) * 1000000)::bigint::text)
        || private.audit_field(entry.actor) || private.audit_field(entry.action)
        || private.audit_field(entry.tenant_id::text) || private.audit_field(entry.target)
        || private.audit_field(entry.details::text)
    )
$$;

CREATE FUNCTION private.chain_admin_audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    head private.admin_audit_head;
BEGIN
    SELECT * INTO STRICT head FROM private.admin_audit_head FOR UPDATE;
    NEW.at := clock_timestamp();  -- after the wait for the lock, so that times go up with the links
    NEW.seq := head.seq + 1;
    NEW.prev := head.hash;
    NEW.hash := private.audit_hash(NEW);
    UPDATE private.admin_audit_head SET seq = NEW.seq, hash = NEW.hash;
    RETURN NEW;
END
$$;

ALTER TABLE private.admin_audit NO FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
    entry private.admin_audit;
    head private.admin_audit_head;
BEGIN
    SELECT * INTO STRICT head FROM private.admin_audit_head FOR UPDATE;
    FOR entry IN SELECT * FROM private.admin_audit ORDER BY id LOOP
        entry.seq := head.seq + 1;
        entry.prev := head.hash;
        entry.hash := private.audit_hash(entry);
        UPDATE private.admin_audit SET seq = entry.seq, prev = entry.prev, hash = entry.hash WHERE id = entry.id;
        head.seq := entry.seq;
        head.hash := entry.hash;
    END LOOP;
    UPDATE private.admin_audit_head SET seq = head.seq, hash = head.hash;
END
$$;
ALTER TABLE private.admin_audit
    FORCE ROW LEVEL SECURITY,
    ALTER COLUMN seq SET NOT NULL,
    ALTER COLUMN prev SET NOT NULL,
    ALTER COLUMN hash SET NOT NULL;

CREATE TRIGGER chain_admin_audit BEFORE INSERT ON private.admin_audit
    FOR EACH ROW EXECUTE FUNCTION private.chain_admin_audit();

CREATE FUNCTION private.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RAISE EXCEPTION 'the admin audit is written once and stays'; END $$;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON private.admin_audit
    FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_change();

CREATE POLICY access ON private.admin_audit FOR INSERT TO ps_access WITH CHECK (true);
GRANT INSERT (actor, action, tenant_id, target, details) ON private.admin_audit TO ps_access;
