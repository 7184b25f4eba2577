-- Agreement with Clerk and Stripe begins with a lease: its holder looks outside without
-- holding a lock, and then has reconcile_organization() put right what differs.

create table private.sync_runs (
  id bigint generated always as identity,
  started_at timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  organizations integer not null,
  failed integer not null,
  drift jsonb not null,
  recovered_events integer not null default 0,
  events_until timestamptz,
  constraint sync_runs_pkey primary key (id),
  constraint sync_runs_counts_not_negative
    check (organizations >= 0 and failed >= 0 and recovered_events >= 0)
);

create index sync_runs_finished_at_idx on private.sync_runs (finished_at);

comment on table private.sync_runs is 'One row a sweep of sync-seats, kept as long as the ledger of events.';
comment on column private.sync_runs.failed is 'Organizations that could not be compared, because Clerk or Stripe failed.';
comment on column private.sync_runs.drift is 'How many differences of each kind were repaired: { kind: number }.';
comment on column private.sync_runs.recovered_events is 'Events that Stripe had failed to deliver and that were applied.';
comment on column private.sync_runs.events_until is
  'Undelivered events up to this moment have been seen to; null when Stripe could not be asked for them.';

create function private.settling_time() returns interval
language sql
immutable
set search_path = ''
as $$
  select interval '15 minutes';
$$;

comment on function private.settling_time() is
  'How long Clerk may take to make a member of who accepted an invitation, before sync calls it lost.';

create type public.sync_lease as (
  organization_id uuid,
  clerk_org_id text,
  stripe_customer_id text,
  lease_id uuid,
  started_at timestamptz,
  subscription_version bigint,
  open_change_id uuid,
  open_change_subscription_id text
);

comment on type public.sync_lease is
  'The right to sync an organization. subscription_version: hand it back with Stripe''s answer. open_change_id: the change of seats of which nobody knows whether Stripe has been asked, on the subscription open_change_subscription_id; null without one.';

create function private.subscription_version(p_organization_id uuid) returns bigint
language sql
stable
set search_path = ''
as $$
  select coalesce(sum(version), 0)::bigint from private.stripe_subscriptions where organization_id = p_organization_id;
$$;

comment on function private.subscription_version(uuid) is
  'Grows with every write to an organization''s subscriptions.';

create function private.lease_organization(p_organization_id uuid, p_lease_seconds integer) returns public.sync_lease
language sql
set search_path = ''
as $$
  with leased as (
    update private.organization_syncs
    set lease_id = gen_random_uuid(),
        leased_until = clock_timestamp() + make_interval(secs => p_lease_seconds),
        attempted_at = clock_timestamp(),
        due = false
    where organization_id = p_organization_id
    returning *
  )
  select
    o.id, o.clerk_org_id, s.stripe_customer_id, leased.lease_id, clock_timestamp(),
    private.subscription_version(o.id), c.id, c.stripe_subscription_id
  from leased
  join public.organizations as o on o.id = leased.organization_id
  left join public.organization_subscriptions as s on s.organization_id = o.id
  left join public.seat_changes as c
    on c.organization_id = o.id and c.kind <> 'checkout' and c.state in ('open', 'stuck');
$$;

comment on function private.lease_organization(uuid, integer) is
  'Leases an organization whose row in the queue the caller has locked.';

create function public.claim_sync_batch(p_limit integer, p_lease_seconds integer, p_before timestamptz)
returns setof public.sync_lease
language plpgsql
security definer
set search_path = ''
as $$
declare
  waiting uuid;
begin
  for waiting in
    select organization_id
    from private.organization_syncs
    where leased_until <= clock_timestamp() and attempted_at < p_before
    order by due desc, attempted_at
    limit p_limit
    for update skip locked
  loop
    return next private.lease_organization(waiting, p_lease_seconds);
  end loop;
end;
$$;

comment on function public.claim_sync_batch(integer, integer, timestamptz) is
  'Leases up to p_limit organizations that nobody is syncing, first what is due, then the longest waiting, of those not tried since p_before (the start of the sweep). Definer: schema private is closed.';

create function public.claim_organization_sync(p_organization_id uuid, p_clerk_org_id text, p_lease_seconds integer)
returns public.sync_lease
language plpgsql
security definer
set search_path = ''
as $$
declare
  queued private.organization_syncs;
begin
  perform private.require_organization_of(p_organization_id, p_clerk_org_id);
  select * into queued from private.organization_syncs where organization_id = p_organization_id for update;
  if not found then
    perform private.refuse(404, 'organization_not_found', 'There is no such organization.');
  elsif queued.leased_until > clock_timestamp() then
    perform private.refuse(409, 'sync_in_progress', 'The organization is being synced already.');
  end if;
  return private.lease_organization(p_organization_id, p_lease_seconds);
end;
$$;

comment on function public.claim_organization_sync(uuid, text, integer) is
  'Leases one organization for its admin, whose Clerk token is for p_clerk_org_id. Definer: schema private is closed. Raises not_organization_admin (403), organization_not_found (404), sync_in_progress (409).';

create function public.abandon_sync(p_organization_id uuid, p_lease_id uuid) returns void
language sql
security definer
set search_path = ''
as $$
  update private.organization_syncs set lease_id = null, leased_until = '-infinity'
  where organization_id = p_organization_id and lease_id = p_lease_id;
$$;

comment on function public.abandon_sync(uuid, uuid) is
  'Gives a lease back without having written anything. Definer: schema private is closed.';

create function public.return_leases(p_lease_ids uuid[]) returns void
language sql
security definer
set search_path = ''
as $$
  update private.organization_syncs set lease_id = null, leased_until = '-infinity', due = true
  where lease_id = any (p_lease_ids);
$$;

comment on function public.return_leases(uuid[]) is
  'Gives leases back whose organizations nobody has begun to sync: they come first in the next sweep. Definer: schema private is closed.';
