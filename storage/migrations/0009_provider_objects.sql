-- Objects that live at a provider (stored responses, conversations, files), by the tenant that made them through here:
-- a request that leans on one leans on text that was scanned when it was made.
CREATE TABLE public.provider_objects (
    tenant_id bigint NOT NULL REFERENCES public.tenants ON DELETE CASCADE,
    upstream text NOT NULL CHECK (length(upstream) BETWEEN 1 AND 64),
    kind text NOT NULL CHECK (kind ~ '^[a-z][a-z_]{0,38}$'),
    object text NOT NULL CHECK (length(object) <= 256 AND object ~ '^[A-Za-z0-9._:/+=-]+$'),
    decision uuid,  -- which made it; null for what an operator imported
    pseudonyms bytea,  -- encrypted, for answers that are to be restored later; null where there were none
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, upstream, kind, object)
);
CREATE INDEX provider_objects_expiry ON public.provider_objects (expires_at);

ALTER TABLE public.provider_objects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON public.provider_objects TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY app ON public.provider_objects TO ps_app
    USING (tenant_id = (SELECT private.current_tenant()))
    WITH CHECK (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY reader ON public.provider_objects FOR SELECT TO ps_reader USING (true);
GRANT SELECT, INSERT (tenant_id, upstream, kind, object, decision, expires_at), UPDATE (expires_at)
    ON public.provider_objects TO ps_app;
GRANT SELECT (tenant_id, upstream, kind, object, decision, created_at, expires_at)
    ON public.provider_objects TO ps_reader;

-- Forgets what has expired, of every tenant; returns how many.
CREATE FUNCTION private.expire_provider_objects() RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (DELETE FROM public.provider_objects WHERE expires_at < now() RETURNING 1) SELECT count(*) FROM gone
$$;
GRANT EXECUTE ON FUNCTION private.expire_provider_objects() TO ps_app;
