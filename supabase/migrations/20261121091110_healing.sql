-- What a sweep does before, beside and after comparing organizations: what is due
-- by the clock, events that never came, and its own bookkeeping.

alter table private.settings add column drift_alert integer not null default 50;
alter table private.settings add constraint settings_drift_alert_not_negative check (drift_alert >= 0);

comment on column private.settings.drift_alert is
  'Differences in one sweep above which an alert is raised. A few are lost events; many are an endpoint that is down, or someone who writes around the functions.';

create index organization_invitations_expired_idx on public.organization_invitations (expires_at)
  where status = 'pending';
create index organization_subscriptions_period_idx on public.organization_subscriptions (current_period_end)
  where status in ('active', 'trialing', 'past_due');
create index organization_subscriptions_grace_idx on public.organization_subscriptions (grace_until)
  where grace_until is not null;
create index organizations_limit_push_idx on public.organizations (id)
  where deleted_at is null and clerk_limit_error is null and clerk_limit_pushed is distinct from clerk_limit;
create index webhook_events_received_at_idx on private.webhook_events (received_at);

create function public.expire_invitations(p_limit integer) returns integer
language plpgsql
security definer
set search_path = ''
as $$
declare
  expired_in uuid;
  organizations integer := 0;
begin
  perform private.set_cause('sync', 'expire_invitations');
  -- One that is locked is at work, and expires its invitations by itself.
  for expired_in in
    select id from public.organizations
    where id in (
      select organization_id from public.organization_invitations
      where status = 'pending' and expires_at <= now()
      order by expires_at
      limit p_limit
    )
    for no key update skip locked
  loop
    perform private.expire_invitations(expired_in);
    organizations := organizations + 1;
  end loop;
  return organizations;
end;
$$;

comment on function public.expire_invitations(integer) is
  'Ends the invitations whose time is over, in the organizations of the p_limit that ended first, and returns in how many organizations: call it until that is 0. Definer: the tables take no direct writes.';

create function private.due_organizations() returns setof uuid
language sql
stable
set search_path = ''
as $$
  -- Stripe has been asked for a change and how it ended is not known here. The
  -- minute is for the command itself, which settles nearly all of them.
  select organization_id
  from public.seat_changes
  where kind <> 'checkout' and state in ('open', 'awaiting_payment', 'stuck')
    and updated_at < now() - interval '1 minute'
  union
  -- A paid period is over, and Stripe has not been heard to begin another: that
  -- ends scheduled decreases and cancelled subscriptions.
  select organization_id
  from public.organization_subscriptions
  where status in ('active', 'trialing', 'past_due') and current_period_end <= now()
  union
  -- A grace is over: once, whether the payment is still missing is asked for.
  select s.organization_id
  from public.organization_subscriptions as s
  join private.organization_syncs as q on q.organization_id = s.organization_id
  where s.grace_until <= now() and q.attempted_at < s.grace_until
  union
  -- Clerk has been asked to add someone, and whether it did is not known here.
  select organization_id from public.organization_invitations where held_until <= now()
  union
  select organization_id from public.organization_members where held_until <= now()
  union
  -- Clerk has not been told the limit, and nobody is telling it.
  select o.id
  from public.organizations as o
  join private.organization_syncs as q on q.organization_id = o.id
  where o.deleted_at is null and o.clerk_limit_error is null
    and o.clerk_limit_pushed is distinct from o.clerk_limit
    and q.limit_push_until <= now();
$$;

comment on function private.due_organizations() is
  'The organizations that have to be compared before those that have merely waited longest.';

create function private.mark_due_organizations(p_limit integer) returns void
language sql
set search_path = ''
as $$
  update private.organization_syncs set due = true
  where organization_id in (
    select organization_id from private.organization_syncs
    where not due and organization_id in (select private.due_organizations())
    order by attempted_at
    limit p_limit
    for update skip locked
  );
$$;

comment on function private.mark_due_organizations(integer) is
  'Lets p_limit organizations at the most come first in the queue: if all of them keep failing, a sweep still has time for the others.';

create function private.forget_old_records(p_limit integer) returns void
language sql
set search_path = ''
as $$
  delete from private.webhook_events
  where (provider, event_id) in (
    select provider, event_id from private.webhook_events
    where received_at < now() - interval '90 days'
    order by received_at
    limit p_limit
    for update skip locked
  );
  delete from private.sync_runs
  where id in (
    select id from private.sync_runs
    where finished_at < now() - interval '90 days'
    order by finished_at
    limit p_limit
    for update skip locked
  );
$$;

comment on function private.forget_old_records(integer) is
  'Removes what is older than 90 days from the ledger of events and from the runs. Stripe can be asked for an event for 30 days (Stripe: Events), so none comes that late.';

create function public.begin_sweep() returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform private.mark_due_organizations(100);
  perform private.forget_old_records(1000);
  return jsonb_build_object('eventsSince', extract(epoch from coalesce(
    (select max(events_until) from private.sync_runs),
    now() - interval '30 days'
  ))::bigint);
end;
$$;

comment on function public.begin_sweep() is
  'What a sweep does first, in the database alone: puts in front what is due, and forgets what is old. Returns { eventsSince: seconds, up to which undelivered events have been seen to }. Definer: schema private is closed.';

create function public.unknown_stripe_events(p_event_ids text[]) returns setof text
language sql
stable
security definer
set search_path = ''
as $$
  select asked.event_id
  from unnest(p_event_ids) as asked (event_id)
  where not exists (
    select from private.webhook_events as known
    where known.provider = 'stripe' and known.event_id = asked.event_id
  );
$$;

comment on function public.unknown_stripe_events(text[]) is
  'Those of these events that have not been worked off. Definer: schema private is closed.';

create function public.record_sync_run(
  p_started_at timestamptz,
  p_organizations integer,
  p_failed integer,
  p_drift jsonb,
  p_recovered_events integer default 0,
  p_events_until bigint default null
) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  differences integer := coalesce((select sum(number::integer) from jsonb_each_text(p_drift) as d (kind, number)), 0);
begin
  insert into private.sync_runs (started_at, organizations, failed, drift, recovered_events, events_until)
  values (p_started_at, p_organizations, p_failed, p_drift, p_recovered_events, to_timestamp(p_events_until));
  return jsonb_build_object(
    'more', exists (
      select from private.organization_syncs
      where attempted_at < p_started_at and leased_until <= now()
    ),
    'differences', differences,
    'alert', differences > (select drift_alert from private.settings)
  );
end;
$$;

comment on function public.record_sync_run(timestamptz, integer, integer, jsonb, integer, bigint) is
  'Notes how a sweep went. p_drift: { kind: number }; p_events_until: seconds up to which undelivered events have been seen to. Returns { more: whether organizations are waiting that were not tried since it began, differences: their sum, alert: whether those are more than settings.drift_alert }. Definer: schema private is closed.';
