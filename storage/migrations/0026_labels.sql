-- What people say of decisions: attack or benign. A tenant's own head learns from it, as long as the text is kept.
CREATE TABLE public.decision_labels (
    id uuid PRIMARY KEY,  -- the decision's
    opened_at timestamptz GENERATED ALWAYS AS (private.opened_at(id)) STORED,
    tenant_id bigint NOT NULL REFERENCES public.tenants ON DELETE CASCADE,
    attack boolean NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    made_by text NOT NULL CHECK (length(made_by) BETWEEN 1 AND 200)
);
CREATE INDEX decision_labels_made ON public.decision_labels (tenant_id, made_at);

ALTER TABLE public.decision_labels ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON public.decision_labels TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY app ON public.decision_labels TO ps_app
    USING (tenant_id = (SELECT private.current_tenant())) WITH CHECK (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY reader ON public.decision_labels FOR SELECT TO ps_reader USING (true);
GRANT SELECT, INSERT (id, tenant_id, attack, made_by), UPDATE (attack, made_at, made_by), DELETE
    ON public.decision_labels TO ps_app;
GRANT SELECT ON public.decision_labels TO ps_reader;

-- Tells whether a decision's text is kept whole, so that something can be learned from it.
CREATE FUNCTION private.keeps_text(decision uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM public.bodies AS b
        WHERE b.tenant_id = private.current_tenant() AND b.opened_at = private.opened_at(decision) AND b.id = decision
            AND b.direction = 'request' AND b.form = 'encrypted' AND NOT b.cut
    )
$$;

-- Forgets what is said of decisions whose text is gone, of every tenant; returns how many.
CREATE FUNCTION private.expire_labels() RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM public.decision_labels AS l
        WHERE NOT EXISTS (SELECT FROM public.bodies AS b WHERE b.opened_at = l.opened_at AND b.id = l.id)
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
REVOKE EXECUTE ON FUNCTION private.keeps_text(uuid), private.expire_labels() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION private.keeps_text(uuid), private.expire_labels() TO ps_app;
