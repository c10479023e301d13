-- Whose database this is: the fingerprint of the pepper that its API keys were hashed with.
CREATE TABLE private.installation (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    pepper_fingerprint text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON private.installation TO ps_app;
