-- Tenants that are suspended, deleted, restored and in the end purged; keys that may less than their tenant.

-- THE LIFE OF A TENANT

-- Until this moment a deleted tenant can be restored; after it, nothing of it stays.
ALTER TABLE public.tenants
    ADD COLUMN purge_after timestamptz,
    ADD CONSTRAINT tenants_purge_after CHECK (purge_after IS NULL OR deleted_at IS NOT NULL);
-- Of who was deleted before there was a time of grace.
UPDATE public.tenants SET purge_after = now() + interval '30 days' WHERE deleted_at IS NOT NULL;
-- Whoever holds the planes' login must not end a tenant by an update that nobody else sees.
REVOKE UPDATE (suspended_at, deleted_at) ON public.tenants FROM ps_app;

-- Three days at least, whatever anybody asks for: a stolen credential must not make a tenant vanish over a weekend.
CREATE FUNCTION private.shortest_grace() RETURNS interval
LANGUAGE sql IMMUTABLE
RETURN interval '3 days';

CREATE FUNCTION private.suspend_tenant(tenant bigint, suspended boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.tenants SET suspended_at = CASE WHEN suspended THEN coalesce(suspended_at, now()) END
        WHERE id = tenant AND deleted_at IS NULL;
    RETURN FOUND;
END
$$;

-- A deleted tenant's keys end at once, and its role cannot log in any more.
CREATE FUNCTION private.delete_tenant(tenant bigint, grace interval) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    until timestamptz := now() + greatest(grace, private.shortest_grace());
BEGIN
    UPDATE public.tenants SET deleted_at = now(), purge_after = until WHERE id = tenant AND deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF to_regrole('tenant_' || tenant) IS NOT NULL THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN', 'tenant_' || tenant);
    END IF;
    RETURN until;
END
$$;

CREATE FUNCTION private.restore_tenant(tenant bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Not one whose purge may have begun: half a tenant is none.
    UPDATE public.tenants SET deleted_at = NULL, purge_after = NULL
        WHERE id = tenant AND deleted_at IS NOT NULL AND purge_after > now();
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF to_regrole('tenant_' || tenant) IS NOT NULL THEN
        EXECUTE format('ALTER ROLE %I LOGIN', 'tenant_' || tenant);
    END IF;
    RETURN true;
END
$$;

-- Ends the time in which a deleted tenant can be restored, once the shortest grace is over; returns whether it is.
CREATE FUNCTION private.hasten_purge(tenant bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.tenants SET purge_after = least(purge_after, now())
        WHERE id = tenant AND deleted_at <= now() - private.shortest_grace();
    RETURN FOUND;
END
$$;

GRANT EXECUTE ON FUNCTION private.suspend_tenant(bigint, boolean), private.delete_tenant(bigint, interval),
    private.restore_tenant(bigint), private.hasten_purge(bigint) TO ps_app;

-- PURGING

-- What was removed on purpose: whose, how many rows of what, and which links of which chains. One row for each purge, in
-- the place of one for each decision, because retirements (private.statements) sign the ranges.
DROP TABLE private.deleted_records;
CREATE TABLE private.deleted_records (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id bigint NOT NULL,
    slug text NOT NULL,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz NOT NULL,
    purged_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL,
    rows jsonb NOT NULL,
    chains jsonb NOT NULL
);
ALTER TABLE private.deleted_records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON private.deleted_records TO ps_owner USING (true) WITH CHECK (true);
CREATE POLICY reader ON private.deleted_records FOR SELECT TO ps_reader USING (true);
GRANT SELECT ON private.deleted_records TO ps_reader;

-- Which tenants are to go now.
CREATE FUNCTION private.tenants_to_purge() RETURNS TABLE (id bigint, slug text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ SELECT t.id, t.slug FROM public.tenants AS t WHERE t.purge_after <= now() ORDER BY t.id $$;

-- Every function of a purge insists on this: whatever a caller says, a living tenant keeps its rows.
CREATE FUNCTION private.insist_on_purge(tenant bigint) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.tenants WHERE id = tenant AND purge_after <= now()) THEN
        RAISE EXCEPTION 'tenant % is not to be purged', tenant;
    END IF;
END
$$;

-- The days on which a tenant has decisions.
CREATE FUNCTION private.days_of(tenant bigint) RETURNS SETOF date
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day date;
    present boolean;
BEGIN
    PERFORM private.insist_on_purge(tenant);
    FOR day IN SELECT stored FROM private.stored_days() AS stored ORDER BY stored LOOP
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM %s WHERE tenant_id = $1 AND opened_at >= $2 AND opened_at < $3)',
            private.table_of(day)
        ) INTO present USING tenant, private.start_of(day), private.start_of(day + 1);
        IF present THEN
            RETURN NEXT day;
        END IF;
    END LOOP;
END
$$;

-- Keeps writers out of a day until the transaction ends. Unlike private.hold_day, of today too: a tenant that nobody can
-- use writes no more, and what a journal brings late is refused when the tenant is gone.
CREATE FUNCTION private.hold_day_of(tenant bigint, day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
BEGIN
    PERFORM private.insist_on_purge(tenant);
    EXECUTE format('LOCK TABLE %s IN SHARE MODE', private.table_of(day));
    RETURN true;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
END
$$;

-- Deletes a tenant's decisions of a day that were opened before `until`; returns how many.
CREATE FUNCTION private.purge_day(tenant bigint, day date, until timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    went bigint;
BEGIN
    PERFORM private.insist_on_purge(tenant);
    EXECUTE format('DELETE FROM %s WHERE tenant_id = $1 AND opened_at >= $2 AND opened_at < $3', private.table_of(day))
        USING tenant, private.start_of(day), least(until, private.start_of(day + 1));
    GET DIAGNOSTICS went = ROW_COUNT;
    RETURN went;
END
$$;

-- The owner sees a tenant's sums once they are to go, and never before.
CREATE POLICY purging ON public.rollups TO ps_owner USING (
    tenant_id IN (SELECT id FROM public.tenants WHERE purge_after <= now())
);
CREATE POLICY owner ON private.chain_heads TO ps_owner USING (
    tenant_id IN (SELECT id FROM public.tenants WHERE purge_after <= now())
);

-- Removes all that is left of a tenant when its decisions are gone: rows that name it, its role, its schema, itself.
CREATE FUNCTION private.purge_tenant(tenant bigint, decisions bigint, chains jsonb, why text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
    gone public.tenants;
    role text := 'tenant_' || tenant;
    counts jsonb := jsonb_build_object('decisions', decisions);
    source record;
    went bigint;
    holds boolean;
BEGIN
    PERFORM private.insist_on_purge(tenant);
    SELECT * INTO gone FROM public.tenants WHERE id = tenant FOR UPDATE;
    PERFORM set_config('promptshield.erasing', 'on', true);
    SELECT EXISTS (SELECT FROM public.decisions WHERE tenant_id = tenant) INTO holds;
    PERFORM set_config('promptshield.erasing', 'off', true);
    IF holds THEN
        RAISE EXCEPTION 'tenant % still has decisions', tenant;
    END IF;
    -- Every table that names tenants, children first as long as foreign keys ask for it; a table that a later migration
    -- adds is found here by its column.
    FOR source IN
        SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relname AS word
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND n.nspname IN ('public', 'private')
          AND c.relname NOT IN ('decisions', 'incoming', 'deleted_records', 'admin_audit')
        ORDER BY array_position(ARRAY['api_keys', 'apps']::name[], c.relname) NULLS FIRST, c.relname
    LOOP
        EXECUTE format('DELETE FROM %s WHERE tenant_id = $1', source.name) USING tenant;
        GET DIAGNOSTICS went = ROW_COUNT;
        IF went > 0 THEN
            counts := counts || jsonb_build_object(source.word, went);
        END IF;
    END LOOP;
    DELETE FROM private.policy_activations WHERE name = gone.slug OR starts_with(name, gone.slug || '/');
    DELETE FROM private.policy_versions WHERE name = gone.slug OR starts_with(name, gone.slug || '/');
    GET DIAGNOSTICS went = ROW_COUNT;
    counts := counts || jsonb_build_object('policy_versions', went);
    UPDATE private.revisions SET policies = policies + 1;
    DELETE FROM public.tenants WHERE id = tenant;
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', role);
    IF to_regrole(role) IS NOT NULL THEN
        EXECUTE format('DROP ROLE %I', role);
    END IF;
    INSERT INTO private.deleted_records (tenant_id, slug, created_at, deleted_at, reason, rows, chains)
        VALUES (tenant, gone.slug, gone.created_at, gone.deleted_at, why, counts, purge_tenant.chains);
    RETURN counts;
END
$$;

GRANT EXECUTE ON FUNCTION private.tenants_to_purge(), private.days_of(bigint), private.hold_day_of(bigint, date),
    private.purge_day(bigint, date, timestamptz), private.purge_tenant(bigint, bigint, jsonb, text) TO ps_ship;

-- What a journal brings for a tenant that is gone is refused and lies with the dead letters: not for long.
CREATE FUNCTION private.forget_purged() RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM private.dead_letters AS d USING private.deleted_records AS r WHERE d.tenant_id = r.tenant_id
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
GRANT EXECUTE ON FUNCTION private.forget_purged() TO ps_ship;

-- KEYS

-- What a key may: patterns of "<dialect>" or "<METHOD> <path>" and of models, NULL for all that its tenant may.
ALTER TABLE public.api_keys
    ADD COLUMN scopes text[] CHECK (cardinality(scopes) BETWEEN 1 AND 32),
    ADD COLUMN models text[] CHECK (cardinality(models) BETWEEN 1 AND 64),
    ADD COLUMN rotated_to bigint REFERENCES public.api_keys ON DELETE SET NULL;
GRANT SELECT (scopes, models, rotated_to), INSERT (scopes, models), UPDATE (scopes, models, rotated_to)
    ON public.api_keys TO ps_app;
GRANT SELECT (scopes, models, rotated_to) ON public.api_keys TO ps_reader, ps_tenant;

-- Every instance forgets what it knows of keys when what they may changes, too.
DROP TRIGGER bump_identities ON public.api_keys;
CREATE TRIGGER bump_identities
    AFTER INSERT OR UPDATE OF tenant_id, app_id, hash, expires_at, revoked_at, scopes, models OR DELETE OR TRUNCATE
    ON public.api_keys FOR EACH STATEMENT EXECUTE FUNCTION private.bump_identities();

DROP FUNCTION private.find_key(bytea);
CREATE FUNCTION private.find_key(sought bytea)
RETURNS TABLE (
    tenant_id bigint, tenant text, app_id bigint, app text, key_id bigint, expires_at timestamptz, scopes text[],
    models text[]
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT tenants.id, tenants.slug, apps.id, apps.name, api_keys.id, api_keys.expires_at, api_keys.scopes,
        api_keys.models
    FROM public.api_keys
    JOIN public.apps ON apps.id = api_keys.app_id
    JOIN public.tenants ON tenants.id = api_keys.tenant_id
    WHERE api_keys.hash = sought
      AND api_keys.revoked_at IS NULL
      AND (api_keys.expires_at IS NULL OR api_keys.expires_at > now())
      AND tenants.suspended_at IS NULL
      AND tenants.deleted_at IS NULL
$$;
GRANT EXECUTE ON FUNCTION private.find_key(bytea) TO ps_app;
