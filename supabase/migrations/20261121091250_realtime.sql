-- Clients that listen through Supabase Realtime see at once what row level security lets them read.

do $$
declare
  listened text;
begin
  -- Only a project with Realtime has the publication.
  for listened in
    select table_name
    from unnest(array[
      'organizations', 'organization_subscriptions', 'organization_members', 'organization_invitations', 'seat_changes'
    ]) as listed (table_name)
    where exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') and not exists (
      select from pg_catalog.pg_publication_tables as p
      where p.pubname = 'supabase_realtime' and p.schemaname = 'public' and p.tablename = table_name
    )
  loop
    execute format('alter publication supabase_realtime add table public.%I', listened);
  end loop;
end;
$$;
