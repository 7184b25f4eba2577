-- Clerk's own limit follows ours: its screens and its SSO then refuse whom we would.
-- What it has to be stands in organizations.clerk_limit; it is pushed after commit.

create function private.limit_push_due(p_organization public.organizations) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_organization.deleted_at is null
    and p_organization.clerk_limit_pushed is distinct from p_organization.clerk_limit
    and p_organization.clerk_limit_error is null;
end;
$$;

comment on function private.limit_push_due(public.organizations) is
  'Whether Clerk has to be told the limit now. One that it refused waits for the next sync.';

create function public.start_clerk_limit_push(p_organization_id uuid) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.lock_organization(p_organization_id);
  push uuid := gen_random_uuid();
begin
  if organization.clerk_limit_pushed is not distinct from organization.clerk_limit then
    return null;
  end if;
  update private.organization_syncs
  set limit_push_id = push, limit_push_until = clock_timestamp() + private.hold_time()
  where organization_id = p_organization_id and limit_push_until <= clock_timestamp();
  if not found then
    return null;
  end if;
  -- Until Clerk has answered nobody knows what it has.
  update public.organizations set clerk_limit_pushed = null
  where id = p_organization_id and clerk_limit_pushed is not null;
  return jsonb_build_object('pushId', push, 'clerkOrgId', organization.clerk_org_id, 'limit', organization.clerk_limit);
end;
$$;

comment on function public.start_clerk_limit_push(uuid) is
  'Begins to tell Clerk the limit: { pushId, clerkOrgId, limit }, or null when Clerk has it or is being told. Definer: the tables take no direct writes. Raises organization_not_found (404).';

create function public.finish_clerk_limit_push(
  p_organization_id uuid,
  p_push_id uuid,
  p_limit integer default null,
  p_error text default null
) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.lock_organization(p_organization_id);
  is_current boolean;
begin
  is_current := exists (
    select from private.organization_syncs
    where organization_id = p_organization_id and limit_push_id = p_push_id
  );
  -- Where two pushes overlapped, either may have reached Clerk last: neither
  -- counts, and the limit is pushed again.
  update private.organization_syncs set limit_push_id = null, limit_push_until = '-infinity'
  where organization_id = p_organization_id;
  update public.organizations
  set clerk_limit_pushed = case when is_current and p_error is null then p_limit end,
      clerk_limit_error = case when clerk_limit = organization.clerk_limit then left(p_error, 255) end
  where id = p_organization_id
  returning * into organization;
  return not is_current
    or p_limit is not null and p_error is null and organization.clerk_limit <> p_limit;
end;
$$;

comment on function public.finish_clerk_limit_push(uuid, uuid, integer, text) is
  'Notes that Clerk took p_limit, or refused it with the code p_error, or with neither that it did not answer. Returns whether the limit has to be pushed again at once: it has changed meanwhile, or another push overlapped. Definer: the tables take no direct writes. Raises organization_not_found (404).';
