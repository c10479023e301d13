-- What a token of a tenant's issuer says of its holder's roles, for policies to ask.
ALTER TABLE public.tenant_issuers ADD COLUMN role_claim text NOT NULL DEFAULT '';
GRANT INSERT (role_claim) ON public.tenant_issuers TO ps_app;

DROP FUNCTION private.find_issuers(text);
CREATE FUNCTION private.find_issuers(sought text)
RETURNS TABLE (
    id bigint, tenant_id bigint, tenant text, audience text, jwks_url text, jwks text, claims text, tenant_claim text,
    app_claim text, role_claim text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.id, t.id, t.slug, i.audience, i.jwks_url, i.jwks::text, i.claims::text, i.tenant_claim, i.app_claim,
        i.role_claim
    FROM public.tenant_issuers AS i JOIN public.tenants AS t ON t.id = i.tenant_id
    WHERE i.issuer = sought AND t.suspended_at IS NULL AND t.deleted_at IS NULL
    ORDER BY i.id LIMIT 32
$$;
GRANT EXECUTE ON FUNCTION private.find_issuers(text) TO ps_app;
