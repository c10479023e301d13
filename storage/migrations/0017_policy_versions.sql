-- Policies that the database holds instead of files: every version that was ever saved, and which of them was in force when.
CREATE TABLE private.policy_versions (
    name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{1,38}(/[a-z0-9][a-z0-9._-]{0,62})?$'),
    version integer NOT NULL CHECK (version > 0),
    content text NOT NULL CHECK (octet_length(content) <= 262144),
    digest text NOT NULL CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
    revision text NOT NULL,  -- which decisions name, with the parents as they were when it was saved
    author text NOT NULL CHECK (length(author) BETWEEN 1 AND 200),
    reason text NOT NULL CHECK (length(reason) BETWEEN 3 AND 1000),
    created_at timestamptz NOT NULL DEFAULT now(),
    approved_by text,
    approved_at timestamptz,
    PRIMARY KEY (name, version)
);

-- Insert-only. The last row of a name says what is in force; without a version it is nothing that the database holds.
CREATE TABLE private.policy_activations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    version integer,
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (name, version) REFERENCES private.policy_versions
);
CREATE INDEX policy_activations_newest ON private.policy_activations (name, id DESC);

-- Written through the functions below only, so that nobody rewrites history. No tenant ever reads `private`.
GRANT SELECT ON private.policy_versions, private.policy_activations TO ps_app, ps_reader;

-- Saves a draft; returns its number.
CREATE FUNCTION private.save_policy(policy text, body text, body_digest text, made text, who text, why text)
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
    INSERT INTO private.admin_audit (actor, action, target, details)
        VALUES (who, 'policy.save', policy, jsonb_build_object('version', number, 'digest', body_digest, 'reason', why));
    RETURN number;
END
$$;

CREATE FUNCTION private.approve_policy(policy text, number integer, who text) RETURNS void
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
    INSERT INTO private.admin_audit (actor, action, target, details)
        VALUES (who, 'policy.approve', policy, jsonb_build_object('version', number));
END
$$;

-- Puts a version in force, or with NULL takes the policy out of the database's hands; says so to every instance.
CREATE FUNCTION private.activate_policy(policy text, number integer, who text, why text, four_eyes boolean) RETURNS void
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
    INSERT INTO private.admin_audit (actor, action, target, details)
        VALUES (who, 'policy.activate', policy, jsonb_build_object('version', number, 'reason', why));
    UPDATE private.revisions SET policies = policies + 1;
END
$$;

GRANT EXECUTE ON FUNCTION private.save_policy(text, text, text, text, text, text) TO ps_app;
GRANT EXECUTE ON FUNCTION private.approve_policy(text, integer, text) TO ps_app;
GRANT EXECUTE ON FUNCTION private.activate_policy(text, integer, text, text, boolean) TO ps_app;
