-- What somebody should look at as a whole: signs in the decision log, or what a person saw; and what came of it.
CREATE TABLE public.incidents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES public.tenants ON DELETE CASCADE,
    rule text NOT NULL CHECK (rule IN ('block_spike', 'repeated_blocks', 'credential_leak', 'manual')),
    subject text NOT NULL DEFAULT '' CHECK (length(subject) <= 100),  -- `key 12`, `session <keyed hash>`, or nothing
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 1000),
    severity text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'investigating', 'resolved', 'dismissed')),
    assignee text NOT NULL DEFAULT '' CHECK (length(assignee) <= 200),
    opened_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    decisions integer NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, id),
    CHECK ((status IN ('resolved', 'dismissed')) = (closed_at IS NOT NULL))
);
-- However many instances see a sign, it is one incident while that is live.
CREATE UNIQUE INDEX incidents_live ON public.incidents (tenant_id, rule, subject)
    WHERE closed_at IS NULL AND rule <> 'manual';

-- Insert-only.
CREATE TABLE public.incident_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id bigint NOT NULL,
    incident_id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL CHECK (length(actor) <= 200),
    event text NOT NULL CHECK (event IN ('opened', 'status', 'severity', 'assignee', 'note', 'decisions')),
    text text NOT NULL CHECK (length(text) <= 1000),
    FOREIGN KEY (tenant_id, incident_id) REFERENCES public.incidents (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX incident_events_of ON public.incident_events (incident_id, id);

CREATE TABLE public.incident_decisions (
    tenant_id bigint NOT NULL,
    incident_id bigint NOT NULL,
    decision uuid NOT NULL,
    PRIMARY KEY (incident_id, decision),
    FOREIGN KEY (tenant_id, incident_id) REFERENCES public.incidents (tenant_id, id) ON DELETE CASCADE
);

ALTER TABLE public.incidents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE public.incident_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE public.incident_decisions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON public.incidents TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY owner ON public.incident_events TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY owner ON public.incident_decisions TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY app ON public.incidents TO ps_app USING (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY app ON public.incident_events TO ps_app USING (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY app ON public.incident_decisions TO ps_app USING (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY reader ON public.incidents FOR SELECT TO ps_reader USING (true);
CREATE POLICY reader ON public.incident_events FOR SELECT TO ps_reader USING (true);
CREATE POLICY reader ON public.incident_decisions FOR SELECT TO ps_reader USING (true);
GRANT SELECT, INSERT (tenant_id, rule, subject, title, severity),
    UPDATE (status, severity, assignee, updated_at, closed_at, decisions) ON public.incidents TO ps_app;
GRANT SELECT, INSERT (tenant_id, incident_id, actor, event, text) ON public.incident_events TO ps_app;
GRANT SELECT, INSERT ON public.incident_decisions TO ps_app;
GRANT SELECT ON public.incidents, public.incident_events, public.incident_decisions TO ps_reader;

-- Whom an incident was about is erased with what the log holds about that person.
CREATE FUNCTION private.forget_in_incidents() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.incidents SET subject = 'erased ' || id
        WHERE tenant_id = NEW.tenant_id AND subject = 'session ' || encode(NEW.subject, 'hex');
    RETURN NULL;
END
$$;
CREATE TRIGGER forget_in_incidents AFTER INSERT OR UPDATE ON private.erasures
    FOR EACH ROW EXECUTE FUNCTION private.forget_in_incidents();

-- Decisions of one key, or by one policy, are looked for as those of one app are.
CREATE INDEX decisions_by_key ON public.decisions (key_id);
CREATE INDEX decisions_by_policy ON public.decisions (policy_id);
