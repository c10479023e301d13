-- A tenant's own window on its rows: a login role, and a schema of views that show that role no more than its policies do.

-- A later migration that changes a table calls this again for every tenant.
CREATE FUNCTION private.create_tenant_views(tenant_id bigint) RETURNS void
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

CREATE FUNCTION private.create_tenant_schema(tenant_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    role text := 'tenant_' || tenant_id;
BEGIN
    -- Without a password nobody logs in as it; an operator sets one with ALTER ROLE ... PASSWORD.
    EXECUTE format('CREATE ROLE %I LOGIN CONNECTION LIMIT 8', role);
    EXECUTE format('GRANT ps_tenant TO %I WITH INHERIT TRUE, SET FALSE', role);
    EXECUTE format('ALTER ROLE %I SET search_path = %I', role, role);
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', role, '60s');
    EXECUTE format('CREATE SCHEMA %I', role);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', role, role);
    PERFORM private.create_tenant_views(tenant_id);
END
$$;

-- Makes a tenant, its app "default", its role and its schema; returns its id.
CREATE FUNCTION private.create_tenant(slug text, name text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    new_id bigint;
BEGIN
    -- Roles belong to the cluster: an id whose role exists is taken by another database, whose tenant must not read here.
    LOOP
        new_id := nextval(pg_get_serial_sequence('public.tenants', 'id'));
        EXIT WHEN to_regrole('tenant_' || new_id) IS NULL;
    END LOOP;
    INSERT INTO public.tenants AS t (id, slug, name)
        VALUES (new_id, create_tenant.slug, create_tenant.name)
        ON CONFLICT ON CONSTRAINT tenants_slug_key DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tenant "%" exists already', create_tenant.slug;
    END IF;
    INSERT INTO public.apps (tenant_id, name) VALUES (new_id, 'default');
    PERFORM private.create_tenant_schema(new_id);
    RETURN new_id;
END
$$;
GRANT EXECUTE ON FUNCTION private.create_tenant(text, text) TO ps_app;
