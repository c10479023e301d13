-- What an object's text was written with: the values behind the pseudonyms in it, sealed under the tenant's data key.
-- Nobody but the data plane reads or writes them.
GRANT INSERT (pseudonyms), UPDATE (pseudonyms) ON public.provider_objects TO ps_app;
ALTER TABLE public.provider_objects
    ADD CONSTRAINT provider_objects_pseudonyms_size CHECK (octet_length(pseudonyms) <= 524288);
