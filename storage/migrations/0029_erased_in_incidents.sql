-- Titles used to hold the beginning of the hash of whom an incident was about: an erasure takes it out of them, too, and
-- out of the timeline, which is told in the same words.
CREATE OR REPLACE FUNCTION private.forget_in_incidents() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shown text := left('session ' || encode(NEW.subject, 'hex'), 20);
BEGIN
    UPDATE public.incidents SET subject = 'erased ' || id
        WHERE tenant_id = NEW.tenant_id AND subject = 'session ' || encode(NEW.subject, 'hex');
    UPDATE public.incidents SET title = replace(title, shown, 'one session')
        WHERE tenant_id = NEW.tenant_id AND strpos(title, shown) > 0;
    UPDATE public.incident_events SET text = replace(text, shown, 'one session')
        WHERE tenant_id = NEW.tenant_id AND strpos(text, shown) > 0;
    RETURN NULL;
END
$$;

-- Whoever was erased until now.
UPDATE private.erasures SET until = until;
