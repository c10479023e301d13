-- What a policy stopped and wants a person to look at (`review: true`), by its decision; and what came of it.
CREATE TABLE public.reviews (
    id uuid PRIMARY KEY,  -- the decision's
    opened_at timestamptz NOT NULL,
    tenant_id bigint NOT NULL REFERENCES public.tenants ON DELETE CASCADE,
    app_id bigint,
    policy_id text NOT NULL,
    policy_revision text NOT NULL,
    findings jsonb NOT NULL,  -- what stopped it: rule, content (a keyed hash), origin, pointer, policy_rule
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'released', 'rejected')),
    decided_at timestamptz,
    decided_by text,
    reason text,
    released_until date,
    until date NOT NULL,  -- the last day on which it is kept: that of its body
    CHECK ((status = 'open') = (decided_by IS NULL)),
    CHECK ((status = 'released') = (released_until IS NOT NULL))
);
CREATE INDEX reviews_open ON public.reviews (tenant_id, opened_at) WHERE status = 'open';
CREATE INDEX reviews_released ON public.reviews (released_until) WHERE status = 'released';

ALTER TABLE public.reviews ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON public.reviews TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY app ON public.reviews FOR SELECT TO ps_app USING (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY ship ON public.reviews FOR INSERT TO ps_ship WITH CHECK (status = 'open');
CREATE POLICY reader ON public.reviews FOR SELECT TO ps_reader USING (true);
GRANT SELECT ON public.reviews TO ps_app, ps_reader;
GRANT INSERT (id, opened_at, tenant_id, app_id, policy_id, policy_revision, findings, until) ON public.reviews TO ps_ship;

-- Decides one review, once; tells every instance of a release. Returns false where it is not open (any more).
CREATE FUNCTION private.decide_review(decision uuid, verdict text, who text, why text, passes_until date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner bigint;
BEGIN
    UPDATE public.reviews
        SET status = verdict, decided_at = now(), decided_by = who, reason = why, released_until = passes_until
        WHERE id = decision AND status = 'open'
        RETURNING tenant_id INTO owner;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO private.admin_audit (actor, action, tenant_id, target, details)
        VALUES (who, 'review.' || verdict, owner, decision::text, jsonb_build_object('reason', why, 'until', passes_until));
    IF verdict = 'released' THEN
        UPDATE private.revisions SET policies = policies + 1;
    END IF;
    RETURN true;
END
$$;

-- Forgets what has had its time, of every tenant; returns how many.
CREATE FUNCTION private.expire_reviews() RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM public.reviews
        WHERE until < (now() AT TIME ZONE 'UTC')::date
            AND coalesce(released_until, until) < (now() AT TIME ZONE 'UTC')::date
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
REVOKE EXECUTE ON FUNCTION private.decide_review(uuid, text, text, text, date), private.expire_reviews() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION private.decide_review(uuid, text, text, text, date), private.expire_reviews() TO ps_app;
