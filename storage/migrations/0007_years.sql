-- Years of decisions: days that move into partitions of their own, rows that expire, counts that answer at once.

-- PARTITIONS

-- A policy on a partition holds for who reads it by its own name only, so ps_owner's functions below reach the rows of a
-- partition, while a view or function of the owner over public.decisions goes on seeing none.
CREATE FUNCTION private.guard_partition(partition text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('ALTER TABLE private.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('CREATE POLICY owner ON private.%I TO ps_owner USING (true) WITH CHECK (true)', partition);
END
$$;
SELECT private.guard_partition(relname) FROM pg_class JOIN pg_inherits ON inhrelid = oid
    WHERE inhparent = 'public.decisions'::regclass;

-- The first moment (UTC) of a day.
CREATE FUNCTION private.start_of(day date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
RETURN day::timestamp AT TIME ZONE 'UTC';

-- As before, and rows of that day that had to wait in the default partition move along: up to 50,000 of them, which
-- takes about three seconds. A fuller day stays where it is, because writers of that day would wait too long for the move.
-- Returns false if it should be tried again later.
DROP FUNCTION private.create_partition(date);
CREATE FUNCTION private.create_partition(day date, most integer DEFAULT 50000) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- A long reader must not stall the shipper behind us.
SET lock_timeout = '500ms'
AS $$
DECLARE
    partition text := 'decisions_' || to_char(day, 'YYYYMMDD');
    first timestamptz := private.start_of(day);
    next timestamptz := private.start_of(day + 1);
    waiting int;
BEGIN
    IF to_regclass('private.' || partition) IS NOT NULL THEN
        RETURN true;
    END IF;
    -- Parent, then default partition: in the order of whoever drops a partition, or the two would wait for each other.
    LOCK TABLE ONLY public.decisions IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass('private.' || partition) IS NOT NULL THEN
        RETURN true;  -- another instance was faster
    END IF;
    LOCK TABLE private.decisions_default IN ACCESS EXCLUSIVE MODE;
    SELECT count(*) INTO waiting
        FROM (SELECT FROM private.decisions_default WHERE opened_at >= first AND opened_at < next LIMIT most + 1) AS r;
    IF waiting > most THEN
        RETURN true;
    END IF;
    -- LIKE and ATTACH, not PARTITION OF: inserts into the parent go on meanwhile.
    EXECUTE format('CREATE TABLE private.%I (LIKE public.decisions INCLUDING ALL)', partition);
    PERFORM private.guard_partition(partition);
    IF waiting > 0 THEN
        EXECUTE format(
            'INSERT INTO private.%I SELECT * FROM private.decisions_default WHERE opened_at >= $1 AND opened_at < $2',
            partition
        ) USING first, next;
        DELETE FROM private.decisions_default WHERE opened_at >= first AND opened_at < next;
    END IF;
    EXECUTE format(
        'ALTER TABLE public.decisions ATTACH PARTITION private.%I FOR VALUES FROM (%L) TO (%L)', partition, first, next
    );
    RETURN true;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
END
$$;

-- INDEXES

-- What is ordinary is found by time; only what is not pays for an index of its own.
DROP INDEX public.decisions_by_outcome;
DROP INDEX public.decisions_by_action;
CREATE INDEX decisions_by_outcome ON public.decisions (tenant_id, outcome, opened_at DESC, id DESC)
    WHERE outcome <> 'answered';
CREATE INDEX decisions_by_action ON public.decisions (tenant_id, action, opened_at DESC, id DESC)
    WHERE action <> 'allow';
-- One column, so that equal keys share an entry: eight bytes a row. What is frequent is soon met among the newest rows;
-- what is rare is found here, and there is little to sort.
CREATE INDEX decisions_by_app ON public.decisions (app_id);
CREATE INDEX decisions_by_model ON public.decisions (model);
-- A request id that the client did not choose is the decision's own id.
CREATE INDEX decisions_by_request ON public.decisions (request_id) WHERE request_id <> id::text;

-- What a decision can be found by, out of its scores: rules, content hashes, categories, in one array.
CREATE FUNCTION private.marks(scores jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_path_query_array(scores, '$[*].rule')
    || jsonb_path_query_array(scores, '$[*].content')
    || jsonb_path_query_array(scores, '$[*].category');
GRANT EXECUTE ON FUNCTION private.marks(jsonb) TO ps_app, ps_ship, ps_reader, ps_tenant;

-- Three words of each score, not its twelve; and a decision without findings costs nothing.
CREATE INDEX decisions_by_mark ON public.decisions USING gin (private.marks(scores) jsonb_path_ops)
    WHERE scores <> '[]'::jsonb;

-- ROLLUPS

-- Sums over the decisions of a minute, hour or day (UTC): over all of a tenant's, and by each value of one dimension at
-- a time. One dimension at a time, because their product has hardly fewer rows than decisions, and their sum a few dozen.
-- `model` is 'other' beyond 32 names in one span; `blocked` are of both directions, `failed` our own and the upstream's
-- errors. Element n of a histogram counts what took less than 0.25 * 2^(n-1) ms, the last one the rest. By the minute
-- there are the dimensions 'all' and 'app' only; histograms are in 'all', and of hours and days in 'app'.
CREATE TABLE public.rollups (
    grain text NOT NULL CHECK (grain IN ('minute', 'hour', 'day')),
    tenant_id bigint NOT NULL REFERENCES public.tenants ON DELETE CASCADE,
    at timestamptz NOT NULL,
    dimension text NOT NULL CHECK (dimension IN ('all', 'app', 'model', 'outcome', 'action', 'category')),
    value text NOT NULL,
    decisions bigint NOT NULL,
    blocked bigint NOT NULL,
    failed bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    overhead_ms double precision NOT NULL,
    upstream_ms double precision NOT NULL,
    total_ms double precision NOT NULL,
    overhead integer[],
    upstream integer[],
    total integer[],
    PRIMARY KEY (grain, dimension, tenant_id, at, value)
) WITH (fillfactor = 70);  -- the newest rows change with every batch, and stay on their page
CREATE INDEX rollups_of_all ON public.rollups (grain, dimension, at);

ALTER TABLE public.rollups ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON public.rollups FOR SELECT TO ps_app USING (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY tenant ON public.rollups FOR SELECT TO ps_tenant USING (tenant_id = (SELECT private.session_tenant()));
CREATE POLICY reader ON public.rollups FOR SELECT TO ps_reader USING (true);
CREATE POLICY ship ON public.rollups TO ps_ship USING (true) WITH CHECK (true);
GRANT SELECT ON public.rollups TO ps_app, ps_reader, ps_tenant;
GRANT SELECT, INSERT, UPDATE ON public.rollups TO ps_ship;

-- Minutes are kept for 35 days, hours and days for 400: a year's graph is drawn of days. The owner sees what is older.
CREATE POLICY expired ON public.rollups TO ps_owner USING (
    at < now() - CASE grain WHEN 'minute' THEN interval '35 days' ELSE interval '400 days' END
);

-- Deletes at most `most` expired rows and returns how many went. Plain deletes: the table is small, and partitions would
-- make every upsert and every dashboard plan over all of them.
CREATE FUNCTION private.expire_rollups(most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
DECLARE
    went bigint;
BEGIN
    DELETE FROM public.rollups WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.rollups
        WHERE grain = 'minute' AND at < now() - interval '35 days'
           OR grain IN ('hour', 'day') AND at < now() - interval '400 days'
        LIMIT most
    ));
    GET DIAGNOSTICS went = ROW_COUNT;
    RETURN went;
END
$$;
GRANT EXECUTE ON FUNCTION private.expire_rollups(integer) TO ps_ship;

-- RETENTION

-- How long each tenant's rows are kept. What is shortened takes effect after three days (a weekend), so that whoever
-- holds a stolen credential cannot make the log vanish before anybody looks; what is lengthened, at once. Every instance
-- repeats each hour what its policies say, so while one runs, a wish of anybody else's never gets that old.
CREATE TABLE private.retention (
    tenant_id bigint PRIMARY KEY REFERENCES public.tenants ON DELETE CASCADE,
    days integer NOT NULL DEFAULT 90 CHECK (days BETWEEN 1 AND 3650),
    next_days integer CHECK (next_days BETWEEN 1 AND 3650),
    next_from timestamptz,
    CHECK ((next_days IS NULL) = (next_from IS NULL))
);
ALTER TABLE private.retention ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON private.retention TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY reader ON private.retention FOR SELECT TO ps_reader USING (true);
GRANT SELECT ON private.retention TO ps_reader;
CREATE POLICY retention ON private.admin_audit FOR INSERT TO ps_owner WITH CHECK (action = 'retention.shorten');

-- Takes note of how many days each tenant wants; a tenant that is not named wants `fallback`.
CREATE FUNCTION private.announce_retention(tenant_ids bigint[], wanted integer[], fallback integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wish record;
BEGIN
    -- What was announced long enough ago.
    UPDATE private.retention SET days = next_days, next_days = NULL, next_from = NULL WHERE next_from <= now();
    INSERT INTO private.retention (tenant_id) SELECT id FROM public.tenants ORDER BY id ON CONFLICT DO NOTHING;
    FOR wish IN
        SELECT kept.tenant_id, kept.days AS kept, coalesce(named.days, fallback) AS days
        FROM private.retention AS kept
        LEFT JOIN unnest(tenant_ids, wanted) AS named (tenant_id, days) USING (tenant_id)
        WHERE coalesce(kept.next_days, kept.days) <> coalesce(named.days, fallback)
        ORDER BY kept.tenant_id
    LOOP
        IF wish.days >= wish.kept THEN
            UPDATE private.retention SET days = wish.days, next_days = NULL, next_from = NULL
                WHERE tenant_id = wish.tenant_id;
            CONTINUE;
        END IF;
        -- A second, shorter wish waits anew.
        UPDATE private.retention SET next_days = wish.days, next_from = now() + interval '3 days'
            WHERE tenant_id = wish.tenant_id;
        INSERT INTO private.admin_audit (actor, action, tenant_id, details) VALUES (
            session_user, 'retention.shorten', wish.tenant_id,
            jsonb_build_object('from', wish.kept, 'to', wish.days, 'effective', now() + interval '3 days')
        );
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION private.announce_retention(bigint[], integer[], integer) TO ps_ship;

-- Whether all of a day has outlived a tenant's retention. `at` may put it off and never hurry it: the server's clock
-- rules. Never true of today or yesterday, whatever anybody announced.
CREATE FUNCTION private.has_expired(tenant_id bigint, day date, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT day + 1 + kept.days <= (least(at, now()) AT TIME ZONE 'UTC')::date
    FROM private.retention AS kept WHERE kept.tenant_id = has_expired.tenant_id
$$;

-- The table that holds the rows of a day.
CREATE FUNCTION private.table_of(day date) RETURNS regclass
LANGUAGE sql STABLE
RETURN coalesce(
    to_regclass('private.decisions_' || to_char(day, 'YYYYMMDD')), 'private.decisions_default'::regclass
);

-- Days that hold rows: those with a partition, and those of the default partition.
CREATE FUNCTION private.stored_days() RETURNS SETOF date
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day date;
BEGIN
    RETURN QUERY SELECT to_date(right(relname, 8), 'YYYYMMDD') FROM pg_class JOIN pg_inherits ON inhrelid = oid
        WHERE inhparent = 'public.decisions'::regclass AND relname ~ '^decisions_[0-9]{8}$';
    -- One look into the primary key for each day, not one for each row.
    SELECT (min(opened_at) AT TIME ZONE 'UTC')::date INTO day FROM private.decisions_default;
    WHILE day IS NOT NULL LOOP
        RETURN NEXT day;
        SELECT (min(opened_at) AT TIME ZONE 'UTC')::date INTO day
            FROM private.decisions_default WHERE opened_at >= private.start_of(day + 1);
    END LOOP;
END
$$;

-- The tenants with rows in a day, those whose rows have expired and the others.
CREATE FUNCTION private.tenants_of(day date, at timestamptz, OUT expired bigint[], OUT living bigint[])
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format(
        -- One look into an index for each tenant that has rows, however many rows or tenants there are.
        'WITH RECURSIVE present AS ('
        ' SELECT min(tenant_id) AS id FROM %1$s UNION ALL'
        ' SELECT (SELECT min(tenant_id) FROM %1$s WHERE tenant_id > present.id)'
        ' FROM present WHERE present.id IS NOT NULL'
        ') SELECT coalesce(array_agg(id ORDER BY id) FILTER (WHERE gone), ''{}''),'
        ' coalesce(array_agg(id ORDER BY id) FILTER (WHERE NOT gone), ''{}'')'
        ' FROM (SELECT id, coalesce(private.has_expired(id, $1, $2), false) AS gone FROM present) AS known'
        ' WHERE EXISTS (SELECT FROM %1$s WHERE tenant_id = known.id AND opened_at >= $3 AND opened_at < $4)',
        private.table_of(day)
    ) INTO expired, living USING day, at, private.start_of(day), private.start_of(day + 1);
END
$$;

-- What has expired, oldest day first: the tenants, and whether nobody else has rows in that partition.
CREATE FUNCTION private.expired_days(at timestamptz)
RETURNS TABLE (day date, tenant_ids bigint[], whole boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    youngest date := (least(at, now()) AT TIME ZONE 'UTC')::date - 1 - (SELECT min(days) FROM private.retention);
    found record;
    apart boolean;
BEGIN
    FOR day IN SELECT stored FROM private.stored_days() AS stored WHERE stored <= youngest ORDER BY stored LOOP
        found := private.tenants_of(day, at);
        apart := private.table_of(day) <> 'private.decisions_default'::regclass;
        tenant_ids := found.expired;
        whole := apart AND found.living = '{}'
            AND (found.expired <> '{}' OR day < (now() AT TIME ZONE 'UTC')::date - 31);
        IF whole OR tenant_ids <> '{}' THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION private.expired_days(timestamptz) TO ps_ship;

-- Keeps writers (not readers) out of a day until the transaction ends, so that what is recorded as retired is what goes.
-- Returns false if somebody is at it, or if the table cannot be had at once.
CREATE FUNCTION private.hold_day(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
BEGIN
    IF day >= (now() AT TIME ZONE 'UTC')::date - 1 OR NOT pg_try_advisory_xact_lock(0x70735F726574) THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE %s IN SHARE MODE', private.table_of(day));
    RETURN true;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
END
$$;
GRANT EXECUTE ON FUNCTION private.hold_day(date) TO ps_ship;

-- Drops the partition of a day in which every row has expired; returns whether it went. DETACH ... CONCURRENTLY runs in
-- no function and not beside a default partition, so the parent is locked, for a moment.
CREATE FUNCTION private.drop_day(day date, at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
DECLARE
    partition regclass := private.table_of(day);
BEGIN
    IF partition = 'private.decisions_default'::regclass OR day >= (now() AT TIME ZONE 'UTC')::date - 1 THEN
        RETURN false;
    END IF;
    -- As hold_day did, should the caller have left it out: nothing may arrive between looking and dropping.
    EXECUTE format('LOCK TABLE %s IN SHARE MODE', partition);
    IF (SELECT living FROM private.tenants_of(day, at)) <> '{}' THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %s', partition);
    RETURN true;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
END
$$;
GRANT EXECUTE ON FUNCTION private.drop_day(date, timestamptz) TO ps_ship;

-- Up to where a tenant's first `most` rows of a day reach: just behind the last of them.
CREATE FUNCTION private.slice_of(tenant_id bigint, day date, most integer) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    until timestamptz;
BEGIN
    EXECUTE format(
        'SELECT max(opened_at) + interval ''1 microsecond'' FROM ('
        'SELECT opened_at FROM %s WHERE tenant_id = $1 AND opened_at >= $2 AND opened_at < $3'
        ' ORDER BY opened_at LIMIT $4'
        ') AS first', private.table_of(day)
    ) INTO until USING tenant_id, private.start_of(day), private.start_of(day + 1), most;
    RETURN coalesce(until, private.start_of(day + 1));
END
$$;
GRANT EXECUTE ON FUNCTION private.slice_of(bigint, date, integer) TO ps_ship;

-- Deletes a tenant's rows of a day that were opened before `until`, if they have expired; returns how many went.
CREATE FUNCTION private.delete_day(tenant_id bigint, day date, until timestamptz, at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
DECLARE
    went bigint;
BEGIN
    IF private.has_expired(tenant_id, day, at) IS NOT TRUE THEN
        RETURN 0;
    END IF;
    EXECUTE format('DELETE FROM %s WHERE tenant_id = $1 AND opened_at >= $2 AND opened_at < $3', private.table_of(day))
        USING tenant_id, private.start_of(day), least(until, private.start_of(day + 1));
    GET DIAGNOSTICS went = ROW_COUNT;
    RETURN went;
END
$$;
GRANT EXECUTE ON FUNCTION private.delete_day(bigint, date, timestamptz, timestamptz) TO ps_ship;

-- VIEWS OF TENANTS

CREATE OR REPLACE FUNCTION private.create_tenant_views(tenant_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    role text := 'tenant_' || tenant_id;
    source record;
BEGIN
    -- security_invoker: the rows are those of the tenant's role; as the owner's view it would show none.
    FOR source IN
        SELECT * FROM (VALUES
            ('decisions', '*'),
            ('rollups', '*'),
            ('apps', 'id, name, created_at'),
            ('api_keys', 'id, app_id, prefix, name, created_at, expires_at, revoked_at, last_used_at')
        ) AS views (name, columns)
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE VIEW %I.%I WITH (security_invoker, security_barrier) AS SELECT %s FROM public.%I',
            role, source.name, source.columns, source.name
        );
        EXECUTE format('GRANT SELECT ON %I.%I TO %I', role, source.name, role);
    END LOOP;
END
$$;
-- A restored cluster may lack a tenant's role.
SELECT private.create_tenant_views(id) FROM public.tenants WHERE to_regrole(role) IS NOT NULL;
