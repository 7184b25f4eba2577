-- The clock of the sweep on Supabase: pg_cron wakes sync-seats through pg_net, with
-- the secret key from Vault. On a Postgres without these nothing is scheduled.

create function private.wake_sync() returns bigint
language plpgsql
set search_path = ''
as $$
declare
  functions_url text;
  secret_key text;
begin
  if to_regclass('vault.decrypted_secrets') is null or to_regnamespace('net') is null then
    raise notice 'sync-seats is not woken: Vault or pg_net is missing.';
    return null;
  end if;
  select decrypted_secret into functions_url
  from vault.decrypted_secrets where name = 'seatkeeper_functions_url';
  select decrypted_secret into secret_key
  from vault.decrypted_secrets where name = 'seatkeeper_secret_key';
  if functions_url is null or secret_key is null then
    raise notice 'sync-seats is not woken: Vault has no seatkeeper_functions_url or seatkeeper_secret_key.';
    return null;
  end if;
  return net.http_post(
    url := rtrim(functions_url, '/') || '/sync-seats',
    body := '{"sweep": true}',
    headers := jsonb_build_object('Content-Type', 'application/json', 'apikey', secret_key),
    -- As long as a function may take to answer.
    timeout_milliseconds := 150000
  );
end;
$$;

comment on function private.wake_sync() is
  'Begins a sweep: posts to sync-seats through pg_net and returns the request''s id. The functions'' address and the secret key are read from Vault, as seatkeeper_functions_url and seatkeeper_secret_key; without them it does nothing. A wake-up may be lost: the next one does its work.';

create function private.schedule_sync() returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if to_regnamespace('cron') is null then
    raise notice 'The sweep is not scheduled: pg_cron is missing.';
    return false;
  end if;
  -- A sweep takes about 20 seconds. Two go on at once only where a provider is slow or
  -- allows little: each uses half of that, and no organization is in both. A job of
  -- the same name is replaced (pg_cron: cron.schedule).
  perform cron.schedule('seatkeeper-sweep', '* * * * *', 'select private.wake_sync()');
  return true;
end;
$$;

comment on function private.schedule_sync() is
  'Has pg_cron call private.wake_sync() every minute; says whether it could.';

revoke all on function private.wake_sync(), private.schedule_sync() from public, anon, authenticated, service_role;

do $$
begin
  if (
    select count(*) from pg_catalog.pg_available_extensions where name in ('pg_cron', 'pg_net', 'supabase_vault')
  ) = 3 then
    create extension if not exists pg_cron;
    create extension if not exists pg_net;
    create extension if not exists supabase_vault;
    perform private.schedule_sync();
  end if;
exception when others then
  -- Available is not yet loaded: pg_cron wants a setting of the server's. Nothing
  -- but the clock depends on it, and any other scheduler can be the clock.
  raise notice 'The sweep is not scheduled: %', sqlerrm;
end;
$$;
