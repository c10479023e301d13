-- Attacks that operators know: their vectors, never their texts. They need pgvector, which a server may lack or get later,
-- so the table is made by a function that says whether it is there.
ALTER TABLE private.revisions ADD COLUMN attacks bigint NOT NULL DEFAULT 0;

CREATE FUNCTION private.enable_attacks() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place text;
BEGIN
    IF to_regclass('private.known_attacks') IS NOT NULL THEN
        RETURN true;
    END IF;
    SELECT n.nspname INTO place
        FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector';
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format($table$
        CREATE TABLE private.known_attacks (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            vector %I.vector(384) NOT NULL,
            model text NOT NULL,  -- whose vector it is: another model's says nothing
            category text NOT NULL CHECK (category ~ '^[a-z_]{1,40}$'),
            note text NOT NULL CHECK (length(note) BETWEEN 1 AND 200),
            author text NOT NULL CHECK (length(author) BETWEEN 1 AND 200),
            created_at timestamptz NOT NULL DEFAULT now()
        )
    $table$, place);
    GRANT SELECT ON private.known_attacks TO ps_app, ps_reader;
    RETURN true;
END
$$;

-- Keeps a vector, and says so to every instance; returns its number.
CREATE FUNCTION private.add_attack(numbers text, made_by text, kind text, why text, who text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place text;
    number bigint;
BEGIN
    IF NOT private.enable_attacks() THEN
        RAISE EXCEPTION 'the database has no pgvector: CREATE EXTENSION vector, as a superuser, turns known attacks on';
    ELSIF (SELECT count(*) FROM private.known_attacks) >= 5000 THEN
        RAISE EXCEPTION 'there are 5000 known attacks, as many as a worker looks through: remove some';
    END IF;
    SELECT n.nspname INTO place
        FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector';
    EXECUTE format(
        'INSERT INTO private.known_attacks (vector, model, category, note, author) VALUES ($1::%I.vector, $2, $3, $4, $5) RETURNING id',
        place
    ) INTO number USING numbers, made_by, kind, why, who;
    INSERT INTO private.admin_audit (actor, action, target, details)
        VALUES (who, 'attack.add', number::text, jsonb_build_object('category', kind, 'note', why));
    UPDATE private.revisions SET attacks = attacks + 1;
    RETURN number;
END
$$;

-- Forgets one; returns false where there is none of that number.
CREATE FUNCTION private.remove_attack(number bigint, who text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT private.enable_attacks() THEN
        RETURN false;
    END IF;
    DELETE FROM private.known_attacks WHERE id = number;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO private.admin_audit (actor, action, target, details) VALUES (who, 'attack.remove', number::text, '{}');
    UPDATE private.revisions SET attacks = attacks + 1;
    RETURN true;
END
$$;

REVOKE EXECUTE ON FUNCTION private.enable_attacks(), private.add_attack(text, text, text, text, text),
    private.remove_attack(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION private.enable_attacks() TO ps_app, ps_reader;
GRANT EXECUTE ON FUNCTION private.add_attack(text, text, text, text, text) TO ps_app;
GRANT EXECUTE ON FUNCTION private.remove_attack(bigint, text) TO ps_app;
SELECT private.enable_attacks();
