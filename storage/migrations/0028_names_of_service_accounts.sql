-- A revoked service account keeps no name from a new one: what it did is in the admin audit by its client id.
ALTER TABLE private.service_accounts DROP CONSTRAINT service_accounts_tenant_id_name_key;
CREATE UNIQUE INDEX service_accounts_live_name ON private.service_accounts (tenant_id, name) NULLS NOT DISTINCT
    WHERE revoked_at IS NULL;
