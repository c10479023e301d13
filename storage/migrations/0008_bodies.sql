-- What a policy lets us keep of an exchange (bodies, encrypted), with which key, and about whom (subjects).

-- Data keys of tenants, wrapped by a key-encryption key that the database never sees.
CREATE TABLE private.data_keys (
    tenant_id bigint NOT NULL REFERENCES public.tenants ON DELETE CASCADE,
    generation integer NOT NULL CHECK (generation > 0),
    wrapped bytea,
    kek text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    destroyed_at timestamptz,
    PRIMARY KEY (tenant_id, generation),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK (destroyed_at IS NULL OR retired_at IS NOT NULL)
);
-- At most one generation encrypts.
CREATE UNIQUE INDEX data_keys_live ON private.data_keys (tenant_id) WHERE retired_at IS NULL;

ALTER TABLE private.data_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON private.data_keys TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY app ON private.data_keys TO ps_app
    USING (tenant_id = (SELECT private.current_tenant()))
    WITH CHECK (tenant_id = (SELECT private.current_tenant()));
CREATE POLICY reader ON private.data_keys FOR SELECT TO ps_reader USING (true);
GRANT SELECT, INSERT (tenant_id, generation, wrapped, kek), UPDATE (wrapped, kek, retired_at, destroyed_at)
    ON private.data_keys TO ps_app;
-- All but the wrapped keys.
GRANT SELECT (tenant_id, generation, kek, created_at, retired_at, destroyed_at) ON private.data_keys TO ps_reader;

-- What is destroyed stays destroyed.
CREATE FUNCTION private.keep_destroyed() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'a destroyed data key stays destroyed';
END
$$;
CREATE TRIGGER keep_destroyed BEFORE UPDATE ON private.data_keys
    FOR EACH ROW WHEN (OLD.destroyed_at IS NOT NULL) EXECUTE FUNCTION private.keep_destroyed();

-- Every worker forgets its keys within a second of a change to the one column it polls.
ALTER TABLE private.revisions ADD COLUMN data_keys bigint NOT NULL DEFAULT 0;
CREATE FUNCTION private.bump_data_keys() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE private.revisions SET data_keys = data_keys + 1;
    RETURN NULL;
END
$$;
-- Not `wrapped`: a key wrapped anew is the same key.
CREATE TRIGGER bump_data_keys AFTER UPDATE OF retired_at, destroyed_at OR DELETE OR TRUNCATE ON private.data_keys
    FOR EACH STATEMENT EXECUTE FUNCTION private.bump_data_keys();

-- Bodies, by the last day (UTC) on which each may be kept: that day's partition goes as a whole, whatever the tenants'
-- policies say, and nobody needs the right to delete by a time of his own choice.
CREATE TABLE public.bodies (
    until date NOT NULL,
    opened_at timestamptz NOT NULL,
    id uuid NOT NULL,
    tenant_id bigint NOT NULL,
    direction text NOT NULL CHECK (direction IN ('request', 'response')),
    form text NOT NULL CHECK (form IN ('masked', 'encrypted')),
    generation integer NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    cut boolean NOT NULL,
    PRIMARY KEY (until, id, direction)
) PARTITION BY RANGE (until);
-- Ciphertext: trying to compress it is time lost.
ALTER TABLE public.bodies ALTER COLUMN ciphertext SET STORAGE EXTERNAL;
CREATE INDEX bodies_of_tenant ON public.bodies (tenant_id, opened_at);

-- Who a decision is about, as keyed hashes; a row lives as long as its decision.
CREATE TABLE public.decision_subjects (
    tenant_id bigint NOT NULL,
    subject bytea NOT NULL CHECK (octet_length(subject) = 16),
    opened_at timestamptz NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (tenant_id, subject, opened_at, id)
) PARTITION BY RANGE (opened_at);

CREATE TABLE private.bodies_default PARTITION OF public.bodies DEFAULT;
CREATE TABLE private.decision_subjects_default PARTITION OF public.decision_subjects DEFAULT;

-- Whose data were asked to be erased, and up to which moment: what arrives late, out of a journal or an archive, is
-- erased on its way in.
CREATE TABLE private.erasures (
    tenant_id bigint NOT NULL,
    subject bytea NOT NULL CHECK (octet_length(subject) = 16),
    until timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, subject)
);

ALTER TABLE public.bodies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE public.decision_subjects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE private.erasures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

SELECT private.guard_partition('bodies_default'), private.guard_partition('decision_subjects_default');

-- The functions below are the only door to bodies. They are the owner's, so the owner's policies say so in words.
CREATE POLICY owner ON public.bodies TO ps_owner USING (true);
CREATE POLICY owner ON public.decision_subjects TO ps_owner USING (true);
CREATE POLICY owner ON private.erasures TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY owner ON private.admin_audit FOR INSERT TO ps_owner WITH CHECK (true);
CREATE POLICY owner ON private.dead_letters TO ps_owner USING (true);
CREATE POLICY ship ON public.bodies FOR INSERT TO ps_ship WITH CHECK (true);
CREATE POLICY ship ON public.decision_subjects FOR INSERT TO ps_ship WITH CHECK (true);
CREATE POLICY ship ON private.erasures FOR SELECT TO ps_ship USING (true);
CREATE POLICY app ON public.decision_subjects FOR SELECT TO ps_app
    USING (tenant_id = (SELECT private.current_tenant()));
GRANT INSERT ON public.bodies, public.decision_subjects TO ps_ship;
GRANT SELECT ON private.erasures TO ps_ship;
GRANT SELECT ON public.decision_subjects TO ps_app;

-- The owner sees decisions only while one of the functions below has set this, so that a careless view of his still shows
-- none; set by anybody else it does nothing.
CREATE POLICY erasing_finds ON public.decisions FOR SELECT TO ps_owner
    USING (current_setting('promptshield.erasing', true) = 'on');
CREATE POLICY erasing ON public.decisions FOR UPDATE TO ps_owner
    USING (current_setting('promptshield.erasing', true) = 'on');

-- Keep in step with storage/bodies.py: whoever erases holds this lock, whoever inserts shares it.
CREATE FUNCTION private.erasing_lock() RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$ SELECT 8102925043884979045 $$;

-- The functions below look up single rows among millions, in loops: given a list to join with, the planner reads the whole
-- table instead wherever its statistics are new (measured: ten seconds for 605 of 113,000 rows).

-- Bodies of decisions of the tenant of this transaction. Nobody reads one without leaving his name.
CREATE FUNCTION private.read_bodies(sought uuid[], actor text, reason text)
RETURNS TABLE (id uuid, direction text, form text, generation integer, nonce bytea, ciphertext bytea, cut boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tenant bigint := private.current_tenant();
    one uuid;
BEGIN
    INSERT INTO private.admin_audit (actor, action, tenant_id, target, details)
        SELECT read_bodies.actor, 'bodies.read', tenant, read::text, jsonb_build_object('reason', read_bodies.reason)
        FROM unnest(sought) AS read;
    FOREACH one IN ARRAY sought LOOP
        RETURN QUERY
            SELECT b.id, b.direction, b.form, b.generation, b.nonce, b.ciphertext, b.cut
            FROM public.bodies AS b
            WHERE b.tenant_id = tenant AND b.opened_at = private.opened_at(one) AND b.id = one
              AND b.until >= (now() AT TIME ZONE 'UTC')::date
            ORDER BY b.direction;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION private.read_bodies(uuid[], text, text) TO ps_app;

-- Erases what the log holds about a subject of the tenant of this transaction, at most `most` decisions a call: bodies,
-- personal data and the subject's own rows. The decisions and their chain stay: neither is part of it. Decisions that
-- arrive later, but were opened before now, are erased on their way in. A minute more, for clocks that differ.
CREATE FUNCTION private.erase_subject(sought bytea, actor text, most integer)
RETURNS TABLE (decisions bigint, bodies bigint, dead_letters bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tenant bigint := private.current_tenant();
    about record;
    deleted bigint;
BEGIN
    IF tenant IS NULL THEN
        RAISE EXCEPTION 'erasing needs a tenant';
    END IF;
    PERFORM pg_advisory_xact_lock(private.erasing_lock());
    PERFORM set_config('promptshield.erasing', 'on', true);
    INSERT INTO private.erasures AS e (tenant_id, subject, until) VALUES (tenant, sought, now() + interval '1 minute')
        ON CONFLICT (tenant_id, subject) DO UPDATE SET until = excluded.until;
    decisions := 0;
    bodies := 0;
    FOR about IN
        SELECT opened_at, id FROM public.decision_subjects
        WHERE tenant_id = tenant AND subject = sought ORDER BY opened_at, id LIMIT most
    LOOP
        DELETE FROM public.bodies
            WHERE tenant_id = tenant AND opened_at = about.opened_at AND id = about.id;
        GET DIAGNOSTICS deleted = ROW_COUNT;
        UPDATE public.decisions SET personal = NULL
            WHERE opened_at = about.opened_at AND id = about.id AND tenant_id = tenant AND personal IS NOT NULL;
        DELETE FROM public.decision_subjects
            WHERE tenant_id = tenant AND subject = sought AND opened_at = about.opened_at AND id = about.id;
        decisions := decisions + 1;
        bodies := bodies + deleted;
    END LOOP;
    PERFORM set_config('promptshield.erasing', 'off', true);
    -- As text: what was refused need not be JSON that can be searched. The hash is nobody else's.
    DELETE FROM private.dead_letters
        WHERE (tenant_id = tenant OR tenant_id IS NULL) AND strpos(record::text, encode(sought, 'hex')) > 0;
    GET DIAGNOSTICS dead_letters = ROW_COUNT;
    INSERT INTO private.admin_audit (actor, action, tenant_id, target, details) VALUES (
        erase_subject.actor, 'subject.erase', tenant, encode(sought, 'hex'),
        jsonb_build_object('decisions', decisions, 'bodies', bodies, 'dead_letters', dead_letters)
    );
    RETURN NEXT;
END
$$;
GRANT EXECUTE ON FUNCTION private.erase_subject(bytea, text, integer) TO ps_app;

-- One partition a day, as for decisions. Returns false if it should be tried again later.
CREATE FUNCTION private.create_day_partition(parent text, day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
SET timezone = 'UTC'
AS $$
DECLARE
    partition text := parent || '_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass('private.' || partition) IS NOT NULL THEN
        RETURN true;
    END IF;
    EXECUTE format('CREATE TABLE private.%I (LIKE public.%I INCLUDING ALL)', partition, parent);
    PERFORM private.guard_partition(partition);
    EXECUTE format(
        'ALTER TABLE public.%I ATTACH PARTITION private.%I FOR VALUES FROM (%L) TO (%L)', parent, partition, day, day + 1
    );
    RETURN true;
EXCEPTION
    WHEN duplicate_table OR unique_violation OR check_violation THEN
        RETURN true;  -- made by another instance, or the default partition keeps that day
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
END
$$;

-- `untils` are the last days of bodies to come, `opened` the days of subjects; days far from now stay with the defaults.
CREATE FUNCTION private.ensure_body_partitions(untils date[], opened date[]) RETURNS boolean
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(bool_and(private.create_day_partition(parent, day)), true) FROM (
        SELECT 'bodies' AS parent, day FROM unnest(untils) AS day
        WHERE day BETWEEN (now() AT TIME ZONE 'UTC')::date AND (now() AT TIME ZONE 'UTC')::date + 3660
        UNION ALL
        SELECT 'decision_subjects', day FROM unnest(opened) AS day
        WHERE day BETWEEN (now() AT TIME ZONE 'UTC')::date - 31 AND (now() AT TIME ZONE 'UTC')::date + 3
    ) AS wanted
$$;
GRANT EXECUTE ON FUNCTION private.ensure_body_partitions(date[], date[]) TO ps_ship;

-- The tables that hold subjects, each with a day: its own, or those of the rows in the default partition.
CREATE FUNCTION private.subject_days() RETURNS TABLE (name regclass, day date)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT oid::regclass, to_date(right(relname, 8), 'YYYYMMDD') FROM pg_class JOIN pg_inherits ON inhrelid = oid
    WHERE inhparent = 'public.decision_subjects'::regclass AND relname ~ '^decision_subjects_\d{8}$'
    UNION ALL
    SELECT DISTINCT 'private.decision_subjects_default'::regclass, (opened_at AT TIME ZONE 'UTC')::date
    FROM private.decision_subjects_default
$$;

-- What follows deletes nothing that somebody may still want, whoever calls it, but for shorten_bodies, which notes it.

-- Drops the bodies whose last day is over; returns how many partitions and rows went.
CREATE FUNCTION private.drop_expired_bodies() RETURNS TABLE (partitions bigint, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    expired regclass;
BEGIN
    DELETE FROM public.bodies WHERE until < today AND tableoid = 'private.bodies_default'::regclass;
    GET DIAGNOSTICS rows = ROW_COUNT;
    partitions := 0;
    -- Last, because a drop locks the whole table until the end, and the shipper waits.
    FOR expired IN
        SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'public.bodies'::regclass AND relname ~ '^bodies_\d{8}$'
          AND to_date(right(relname, 8), 'YYYYMMDD') < today
        ORDER BY relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE %s', expired);
            partitions := partitions + 1;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            NULL;  -- somebody reads: the next run finds it
        END;
    END LOOP;
    RETURN NEXT;
END
$$;
GRANT EXECUTE ON FUNCTION private.drop_expired_bodies() TO ps_ship;

-- Deletes a tenant's bodies opened before a moment, the oldest `most` of them; returns how many went.
CREATE FUNCTION private.delete_bodies(tenant bigint, before timestamptz, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first timestamptz;
    went bigint;
BEGIN
    SELECT opened_at INTO first FROM public.bodies
        WHERE tenant_id = tenant AND opened_at < before ORDER BY opened_at OFFSET most LIMIT 1;
    DELETE FROM public.bodies WHERE tenant_id = tenant AND opened_at < coalesce(first, before);
    GET DIAGNOSTICS went = ROW_COUNT;
    RETURN went;
END
$$;

-- For a policy that was made stricter: bodies opened more than `days` ago, never less than a day. Whoever holds the
-- shipper's login can ask for it, too, so what goes before its own last day leaves a note.
CREATE FUNCTION private.shorten_bodies(tenant bigint, days integer, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    went bigint := private.delete_bodies(tenant, now() - make_interval(days => greatest(days, 1)), most);
BEGIN
    IF went > 0 THEN
        INSERT INTO private.admin_audit (actor, action, tenant_id, details) VALUES (
            session_user, 'bodies.shorten', tenant, jsonb_build_object('days', greatest(days, 1), 'bodies', went)
        );
    END IF;
    RETURN went;
END
$$;
GRANT EXECUTE ON FUNCTION private.shorten_bodies(bigint, integer, integer) TO ps_ship;

-- Deletes the bodies of tenants that are older than the oldest decision of theirs: retention takes those first.
CREATE FUNCTION private.delete_orphaned_bodies(most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    went bigint := 0;
    tenant bigint;
    oldest timestamptz;
BEGIN
    PERFORM set_config('promptshield.erasing', 'on', true);
    FOR tenant IN SELECT id FROM public.tenants ORDER BY id LOOP
        SELECT min(opened_at) INTO oldest FROM public.decisions WHERE tenant_id = tenant;
        went := went + private.delete_bodies(tenant, least(oldest, now() - interval '1 day'), most - went::integer);
        EXIT WHEN went >= most;
    END LOOP;
    PERFORM set_config('promptshield.erasing', 'off', true);
    RETURN went;
END
$$;
GRANT EXECUTE ON FUNCTION private.delete_orphaned_bodies(integer) TO ps_ship;

-- Deletes the subjects of tenants that have no decision left of that day; returns how many rows went, at most `most`.
CREATE FUNCTION private.delete_orphaned_subjects(most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    went bigint := 0;
    deleted bigint;
    partition record;
BEGIN
    PERFORM set_config('promptshield.erasing', 'on', true);
    FOR partition IN
        SELECT name, day FROM private.subject_days() WHERE day < (now() AT TIME ZONE 'UTC')::date - 1 ORDER BY day
    LOOP
        -- One statement, one moment: a decision that arrives late brings its subjects in the same transaction.
        EXECUTE format(
            'DELETE FROM %s WHERE ctid = ANY (ARRAY('
            '  SELECT ctid FROM %s WHERE tenant_id = ANY (ARRAY('
            '    SELECT id FROM public.tenants AS t'
            '    WHERE EXISTS (SELECT FROM %s WHERE tenant_id = t.id AND opened_at >= $2 AND opened_at < $3)'
            '      AND NOT EXISTS (SELECT FROM public.decisions WHERE tenant_id = t.id AND opened_at >= $2 AND opened_at < $3)'
            '  )) AND opened_at >= $2 AND opened_at < $3 LIMIT $1))',
            partition.name, partition.name, partition.name
        ) USING most - went, private.start_of(partition.day), private.start_of(partition.day + 1);
        GET DIAGNOSTICS deleted = ROW_COUNT;
        went := went + deleted;
        EXIT WHEN went >= most;
    END LOOP;
    PERFORM set_config('promptshield.erasing', 'off', true);
    RETURN went;
END
$$;
GRANT EXECUTE ON FUNCTION private.delete_orphaned_subjects(integer) TO ps_ship;

-- Drops the partitions of subjects that are empty and whose day is over; returns how many.
CREATE FUNCTION private.drop_empty_subject_days() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
DECLARE
    dropped bigint := 0;
    partition regclass;
    used boolean;
BEGIN
    FOR partition IN
        SELECT name FROM private.subject_days()
        WHERE name <> 'private.decision_subjects_default'::regclass AND day < (now() AT TIME ZONE 'UTC')::date - 31
        ORDER BY day
    LOOP
        BEGIN
            -- The lock first: nothing may arrive between looking and dropping.
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', partition);
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', partition) INTO used;
            IF NOT used THEN
                EXECUTE format('DROP TABLE %s', partition);
                dropped := dropped + 1;
            END IF;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            NULL;  -- the next run finds it
        END;
    END LOOP;
    RETURN dropped;
END
$$;
GRANT EXECUTE ON FUNCTION private.drop_empty_subject_days() TO ps_ship;

SELECT private.ensure_body_partitions(
    array_agg((now() AT TIME ZONE 'UTC')::date + 30 + ahead), array_agg((now() AT TIME ZONE 'UTC')::date + ahead)
) FROM generate_series(0, 3) AS ahead;
