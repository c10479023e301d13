-- What happened: one insert-only row for each exchange.

-- The time inside a UUIDv7 (its first 48 bits, milliseconds; RFC 9562 section 5.7), NULL for any other UUID.
CREATE FUNCTION private.opened_at(id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT CASE WHEN substr(id::text, 15, 1) = '7' THEN
        to_timestamp(('x' || substr(id::text, 1, 8) || substr(id::text, 10, 4))::bit(48)::bigint / 1000.0::float8)
    END
$$;
GRANT EXECUTE ON FUNCTION private.opened_at(uuid) TO ps_app, ps_ship, ps_reader, ps_tenant;

-- A record as it is shipped: the fields of storage.types.DecisionRecord, in their order.
-- The shipper's temp table is made of this type, because LIKE would ask for SELECT on the whole of decisions.
CREATE TYPE private.decision_record AS (
    id uuid,
    tenant_id bigint,
    app_id bigint,
    key_id bigint,
    instance text,
    worker integer,
    via text,
    request_id text,
    route text,
    dialect text,
    model text,
    upstream text,
    streaming boolean,
    outcome text,
    status integer,
    error_code text,
    error_stage text,
    mode text,
    action text,
    intended_action text,
    request_action text,
    response_action text,
    category text,
    confidence double precision,
    scores jsonb,
    scores_overflow boolean,
    facts jsonb,
    coverage jsonb,
    digests jsonb,
    degraded text[],
    policy_id text,
    policy_revision text,
    ruleset_revision text,
    provider_saw_prompt boolean,
    prompt_tokens bigint,
    completion_tokens bigint,
    overhead_ms double precision,
    upstream_ms double precision,
    total_ms double precision,
    closed_at double precision
);

CREATE TABLE public.decisions (
    opened_at timestamptz NOT NULL,
    id uuid NOT NULL,
    tenant_id bigint NOT NULL REFERENCES public.tenants,
    app_id bigint,
    key_id bigint,
    instance text NOT NULL,
    worker integer NOT NULL,
    via text NOT NULL,
    request_id text NOT NULL,
    route text NOT NULL,
    dialect text NOT NULL,
    model text NOT NULL,
    upstream text NOT NULL,
    streaming boolean NOT NULL,
    outcome text NOT NULL CHECK (outcome IN (
        'answered', 'blocked_request', 'blocked_response', 'rejected',
        'upstream_error', 'client_closed', 'interrupted', 'internal_error'
    )),
    status integer NOT NULL,
    error_code text NOT NULL,
    error_stage text NOT NULL,
    mode text NOT NULL,
    action text NOT NULL,
    intended_action text NOT NULL,
    request_action text NOT NULL,
    response_action text NOT NULL,
    category text NOT NULL,
    confidence double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    scores jsonb NOT NULL,
    scores_overflow boolean NOT NULL,
    facts jsonb NOT NULL,
    coverage jsonb NOT NULL,
    digests jsonb NOT NULL,
    degraded text[] NOT NULL,
    policy_id text NOT NULL,
    policy_revision text NOT NULL,
    ruleset_revision text NOT NULL,
    provider_saw_prompt boolean NOT NULL,
    prompt_tokens bigint,
    completion_tokens bigint,
    overhead_ms double precision NOT NULL,
    upstream_ms double precision NOT NULL,
    total_ms double precision NOT NULL,
    closed_at timestamptz NOT NULL,
    -- The chain of one (instance, tenant); assigned by the shipper.
    seq bigint,
    prev bytea,
    hash bytea,
    PRIMARY KEY (opened_at, id)
) PARTITION BY RANGE (opened_at);

-- A row is found by its id through the primary key: the id holds opened_at.
CREATE INDEX decisions_newest ON public.decisions (tenant_id, opened_at DESC, id DESC);
CREATE INDEX decisions_by_outcome ON public.decisions (tenant_id, outcome, opened_at DESC);
CREATE INDEX decisions_by_action ON public.decisions (tenant_id, action, opened_at DESC);

ALTER TABLE public.decisions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- No policy for ps_owner: a view or function of the owner sees no row, rather than everybody's.
CREATE POLICY app ON public.decisions FOR SELECT TO ps_app USING (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY tenant ON public.decisions FOR SELECT TO ps_tenant USING (tenant_id = (SELECT private.session_tenant()));
CREATE POLICY reader ON public.decisions FOR SELECT TO ps_reader USING (true);
CREATE POLICY ship ON public.decisions FOR INSERT TO ps_ship WITH CHECK (true);
CREATE POLICY ship_conflicts ON public.decisions FOR SELECT TO ps_ship USING (true);

GRANT SELECT ON public.decisions TO ps_app, ps_reader, ps_tenant;
GRANT INSERT, SELECT (opened_at, id) ON public.decisions TO ps_ship;

-- Whatever fits no partition lands here instead of stopping the shipper.
CREATE TABLE private.decisions_default PARTITION OF public.decisions DEFAULT;
ALTER TABLE private.decisions_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- One partition a day (UTC): rows are insert-only, so dropping a partition is how they expire, and a retention of
-- 90 days is then kept to the day; with months the last rows would outlive it by a month.
-- Returns false if it should be tried again later.
CREATE FUNCTION private.create_partition(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- ATTACH needs the default partition for itself; a long reader must not stall the shipper behind it.
SET lock_timeout = '1s'
AS $$
DECLARE
    partition text := 'decisions_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass('private.' || partition) IS NOT NULL THEN
        RETURN true;
    END IF;
    -- LIKE and ATTACH, not PARTITION OF: inserts into the parent go on meanwhile.
    EXECUTE format('CREATE TABLE private.%I (LIKE public.decisions INCLUDING ALL)', partition);
    -- Without policies: RLS on a partition itself only says that nobody reads past the parent's policies.
    EXECUTE format('ALTER TABLE private.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format(
        'ALTER TABLE public.decisions ATTACH PARTITION private.%I FOR VALUES FROM (%L) TO (%L)',
        partition, to_char(day, 'YYYY-MM-DD') || ' 00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00+00'
    );
    RETURN true;
EXCEPTION
    WHEN duplicate_table OR unique_violation THEN
        RETURN true;  -- another instance was faster
    WHEN check_violation THEN
        RETURN true;  -- the default partition holds rows of that day already, and keeps the rest of it
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
END
$$;

-- Makes the missing partitions among `days` and returns the days that need no further call. Days far from now are left to
-- the default partition: a wrong clock must not litter the catalogue.
CREATE FUNCTION private.ensure_partitions(days date[]) RETURNS SETOF date
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT day FROM unnest(days) AS day
    WHERE CASE
        WHEN day BETWEEN (now() AT TIME ZONE 'UTC')::date - 31 AND (now() AT TIME ZONE 'UTC')::date + 3
        THEN private.create_partition(day)
        ELSE true
    END
$$;
GRANT EXECUTE ON FUNCTION private.ensure_partitions(date[]) TO ps_ship;
