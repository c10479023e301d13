-- The chain of decisions, and what is signed about it.

-- `personal` can be erased; the chain covers `personal_digest` in its place. `canonical` is the form in which a row was
-- hashed (storage/canonical.py); like seq, prev and hash it is NULL in rows from before the chain.
ALTER TABLE public.decisions
    ADD COLUMN personal jsonb,
    ADD COLUMN personal_digest text NOT NULL DEFAULT '',
    ADD COLUMN canonical smallint;

-- What the writer's temporary table is made like: the fields of storage.types.DecisionRecord in their order, then the link.
-- Always empty. It takes the place of the type that an older writer asks for: such a writer must wait for its upgrade with
-- its journal, rather than go on with rows outside the chain.
CREATE TABLE private.incoming (
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
    closed_at double precision,
    personal jsonb,
    personal_digest text,
    subjects text[],
    bodies jsonb,
    canonical smallint,
    seq bigint,
    prev bytea,
    hash bytea,
    opened_at timestamptz GENERATED ALWAYS AS (private.opened_at(id)) STORED
);
ALTER TABLE private.incoming ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT ON private.incoming TO ps_ship;
DROP TYPE private.decision_record;

-- A chain is read from any place on, and its ends are found, without sorting the table.
CREATE INDEX decisions_chain ON public.decisions (instance, tenant_id, seq);

-- The writer looks for what it stored before; a retirement names the links it takes out.
GRANT SELECT (tableoid, instance, tenant_id, seq, prev, hash) ON public.decisions TO ps_ship;

-- What an instance signed: checkpoints, retirements and successions of its key, in one numbered chain. `line` is the
-- statement with its signature as it is published outside the database.
CREATE TABLE private.statements (
    instance text NOT NULL,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (instance, number)
);
ALTER TABLE private.statements ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY ship_reads ON private.statements FOR SELECT TO ps_ship USING (true);
CREATE POLICY ship ON private.statements FOR INSERT TO ps_ship WITH CHECK (true);
CREATE POLICY reader ON private.statements FOR SELECT TO ps_reader USING (true);
GRANT SELECT, INSERT ON private.statements TO ps_ship;
GRANT SELECT ON private.statements TO ps_reader;

-- The views were made with the columns of their day. A restored cluster may lack a tenant's role.
SELECT private.create_tenant_views(id) FROM public.tenants WHERE to_regrole(role) IS NOT NULL;
