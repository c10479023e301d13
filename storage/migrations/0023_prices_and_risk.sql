-- What answers cost, summed up like their tokens. A decision says its own in `facts`, which the chain covers:
-- {"spent": {"micros": 1234}}, in millionths of a US dollar.
ALTER TABLE public.rollups ADD COLUMN cost_micros bigint NOT NULL DEFAULT 0;

-- The views were made with the columns of their day. A restored cluster may lack a tenant's role.
SELECT private.create_tenant_views(id) FROM public.tenants WHERE to_regrole(role) IS NOT NULL;
