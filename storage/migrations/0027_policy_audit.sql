-- What is done to a policy is in the admin audit as its tenant's: the part of its name before the slash says whose it is.
-- Lines from before stay as they are, since the chain holds them.
CREATE FUNCTION private.tenant_of_policy(policy text) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT t.id FROM public.tenants AS t WHERE t.slug = split_part(policy, '/', 1) $$;

CREATE OR REPLACE FUNCTION private.save_policy(policy text, body text, body_digest text, made text, who text, why text)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    number integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ps_policy ' || policy));
    SELECT coalesce(max(version), 0) + 1 INTO number FROM private.policy_versions WHERE name = policy;
    INSERT INTO private.policy_versions (name, version, content, digest, revision, author, reason)
        VALUES (policy, number, body, body_digest, made, who, why);
    INSERT INTO private.admin_audit (actor, action, tenant_id, target, details)
        VALUES (
            who, 'policy.save', private.tenant_of_policy(policy), policy,
            jsonb_build_object('version', number, 'digest', body_digest, 'reason', why)
        );
    RETURN number;
END
$$;

CREATE OR REPLACE FUNCTION private.approve_policy(policy text, number integer, who text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    draft private.policy_versions;
BEGIN
    SELECT * INTO draft FROM private.policy_versions WHERE name = policy AND version = number FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no version % of policy "%"', number, policy;
    ELSIF draft.author = who THEN
        RAISE EXCEPTION 'version % of policy "%" is by %: somebody else has to approve it', number, policy, who;
    END IF;
    UPDATE private.policy_versions SET approved_by = who, approved_at = now() WHERE name = policy AND version = number;
    INSERT INTO private.admin_audit (actor, action, tenant_id, target, details)
        VALUES (
            who, 'policy.approve', private.tenant_of_policy(policy), policy, jsonb_build_object('version', number)
        );
END
$$;

CREATE OR REPLACE FUNCTION private.activate_policy(policy text, number integer, who text, why text, four_eyes boolean)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    approver text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ps_policy ' || policy));
    IF number IS NOT NULL THEN
        SELECT coalesce(approved_by, '') INTO approver FROM private.policy_versions
            WHERE name = policy AND version = number;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no version % of policy "%"', number, policy;
        ELSIF four_eyes AND approver = '' THEN
            RAISE EXCEPTION 'version % of policy "%" waits for the approval of a second person', number, policy;
        END IF;
    END IF;
    INSERT INTO private.policy_activations (name, version, actor, reason) VALUES (policy, number, who, why);
    INSERT INTO private.admin_audit (actor, action, tenant_id, target, details)
        VALUES (
            who, 'policy.activate', private.tenant_of_policy(policy), policy,
            jsonb_build_object('version', number, 'reason', why)
        );
    UPDATE private.revisions SET policies = policies + 1;
END
$$;
