-- Run before every migration, and again each time: roles belong to the cluster, not to the database, so a restored or
-- second database finds some of them missing. Changes nothing once all is in place.
-- The runner passes the name of the run-time login as the setting promptshield.login.

DO $bootstrap$
DECLARE
    login text := current_setting('promptshield.login');
    member record;
    wanted text;
BEGIN
    -- 15 let any CREATEROLE role grant itself any other role; 16 ties it to the ADMIN option and knows SET and INHERIT.
    IF current_setting('server_version_num')::int < 160000 THEN
        RAISE EXCEPTION 'Postgres 16 or newer is needed, this server is %', current_setting('server_version');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
        RAISE EXCEPTION 'the server has no role "%" for DATABASE_URL to log in as', login;
    END IF;

    FOREACH wanted IN ARRAY ARRAY['ps_owner', 'ps_app', 'ps_ship', 'ps_reader', 'ps_access', 'ps_tenant'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
    -- Tenants get their login roles at run time, out of functions that ps_owner owns.
    IF NOT (SELECT rolcreaterole FROM pg_roles WHERE rolname = 'ps_owner') THEN
        ALTER ROLE ps_owner CREATEROLE;
    END IF;

    -- INHERIT FALSE: without SET LOCAL ROLE the login can do nothing at all.
    FOR member IN
        SELECT * FROM (VALUES
            ('ps_app', login, false, true),
            ('ps_ship', login, false, true),
            ('ps_reader', login, false, true),
            ('ps_access', login, false, true),
            ('ps_tenant', 'ps_owner', true, false),
            ('ps_owner', current_user::text, false, true)
        ) AS grants (role, member, may_grant, may_set)
        WHERE NOT (role = 'ps_owner' AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))
    LOOP
        IF NOT EXISTS (
            SELECT FROM pg_auth_members AS held
            WHERE held.roleid = to_regrole(quote_ident(member.role))
              AND held.member = to_regrole(quote_ident(member.member))
              AND held.admin_option = member.may_grant
              AND held.set_option = member.may_set
              AND NOT held.inherit_option
        ) THEN
            EXECUTE format(
                'GRANT %I TO %I WITH ADMIN %s, INHERIT FALSE, SET %s',
                member.role, member.member, member.may_grant::text, member.may_set::text
            );
        END IF;
    END LOOP;

    -- The roles are shared by every PromptShield database of a cluster, so CONNECT is what keeps another
    -- installation's login, also a member of ps_app, out of this database.
    IF NOT has_database_privilege('ps_owner', current_database(), 'CREATE') THEN
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
        EXECUTE format('GRANT CREATE ON DATABASE %I TO ps_owner', current_database());
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO ps_ship', current_database());
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO ps_reader, ps_tenant', current_database());
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
        GRANT USAGE, CREATE ON SCHEMA public TO ps_owner;
    END IF;
    IF NOT has_database_privilege(login, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), login);
    END IF;
    -- Vectors of known attacks. Only a superuser may install it; without it that feature is off.
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector' AND installed_version IS NULL)
    THEN
        CREATE EXTENSION vector SCHEMA public;
    END IF;
END
$bootstrap$;

SET LOCAL ROLE ps_owner;

CREATE SCHEMA IF NOT EXISTS private;

CREATE TABLE IF NOT EXISTS private.migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
