-- How the whole stands: a question that anyone's probe may ask, and a report for
-- those who run it. What each figure means, and what to do: docs/operations.md.

-- By id and not by updated_at: a row whose indexed columns change is entered anew
-- into each of its indexes, and every count changes updated_at.
create index organizations_over_capacity_idx on public.organizations (id)
  where over_capacity and deleted_at is null;
create index organizations_clerk_limit_error_idx on public.organizations (id)
  where clerk_limit_error is not null and deleted_at is null;
create index organizations_deleted_idx on public.organizations (deleted_at) where deleted_at is not null;
create index seat_changes_under_way_idx on public.seat_changes (updated_at)
  where state in ('open', 'awaiting_payment', 'scheduled', 'stuck') and kind <> 'checkout';

create function public.is_up() returns boolean
language sql
volatile
security definer
set search_path = ''
as $$
  -- Supabase makes the database of a full disk read-only: it would answer, and take nothing in.
  select exists (select from private.settings)
    and not current_setting('default_transaction_read_only')::boolean
    and not pg_catalog.pg_is_in_recovery();
$$;

comment on function public.is_up() is
  'Whether the database answers, is migrated and takes writes. Volatile, so that PostgREST asks in a transaction that may write. Definer: schema private is closed.';

create function private.webhook_health() returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_object_agg(provider, figures)
  from (
    select provider, jsonb_build_object(
      'events', count(event_id),
      'late', count(*) filter (where lag > extract(epoch from private.settling_time())),
      'medianLagSeconds', round((percentile_cont(0.5) within group (order by lag))::numeric, 1),
      'maxLagSeconds', round(max(lag), 1)
    ) as figures
    from unnest(array['stripe', 'clerk']) as known (provider)
    left join lateral (
      -- Stripe's times are whole seconds, and clocks differ.
      select event_id,
        case when occurred_at is not null then greatest(0, extract(epoch from received_at - occurred_at)) end as lag
      from private.webhook_events as e
      where e.provider = known.provider and received_at > now() - interval '1 hour'
    ) as events on true
    group by provider
  ) as by_provider;
$$;

comment on function private.webhook_health() is
  'How late the events of the last hour were recorded, by provider: { events, late, medianLagSeconds, maxLagSeconds }. Late: later than sync waits for them.';

create function private.sync_health() returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'lastRunAt', (select max(finished_at) from private.sync_runs),
    'oldestSeconds', (
      select case when count(*) > 0
        then greatest(0, round(extract(epoch from now() - min(coalesce(last_synced_at, created_at))))) end
      from public.organizations
      where deleted_at is null
    ),
    'synced', coalesce(sum(organizations), 0),
    'failed', coalesce(sum(failed), 0),
    'recoveredEvents', coalesce(sum(recovered_events), 0),
    'successRate', round(sum(organizations)::numeric / nullif(sum(organizations) + sum(failed), 0), 4),
    'sweepsWithMuchDrift', count(*) filter (where (
      select sum(found::bigint) from jsonb_each_text(drift) as each (kind, found)
    ) > (select drift_alert from private.settings)),
    'drift', (
      select coalesce(jsonb_object_agg(kind, n), '{}')
      from (
        select kind, sum(found::bigint) as n
        from private.sync_runs, jsonb_each_text(drift) as each (kind, found)
        where finished_at > now() - interval '1 day'
        group by kind
      ) as by_kind
    )
  )
  from private.sync_runs
  where finished_at > now() - interval '1 day';
$$;

comment on function private.sync_health() is
  'How the sweeps of the last day went: { lastRunAt, oldestSeconds: since when the longest waiting organization has not been compared, synced, failed, successRate, recoveredEvents: that Stripe had failed to deliver, sweepsWithMuchDrift: with more than settings.drift_alert, drift: { kind: number } }.';

create function private.health_findings() returns table (code text, organization_id uuid, since timestamptz)
language sql
stable
set search_path = ''
as $$
  select 'organizations_unswept', id, coalesce(last_synced_at, created_at)
  from public.organizations
  where deleted_at is null and coalesce(last_synced_at, created_at) < now() - interval '1 day'
  union all
  select case state when 'stuck' then 'changes_stuck' else 'changes_overdue' end, organization_id, updated_at
  from public.seat_changes
  where state in ('open', 'awaiting_payment', 'scheduled', 'stuck') and kind <> 'checkout'
    and case state
      when 'stuck' then true
      when 'open' then updated_at < now() - private.settling_time()
      -- Stripe gives a pending update 23 hours (Stripe: pending updates).
      when 'awaiting_payment' then updated_at < now() - interval '1 day'
      else period_end < now() - interval '1 day'
    end
  union all
  select 'holds_lapsed', organization_id, held_until
  from public.organization_invitations
  where held_until < now() - interval '1 hour'
  union all
  select 'holds_lapsed', organization_id, held_until
  from public.organization_members
  where held_until < now() - interval '1 hour'
  union all
  select 'clerk_limit_refused', id, updated_at
  from public.organizations
  where clerk_limit_error is not null and deleted_at is null
  union all
  -- Before the first purchase there is no capacity to exceed; after the last one
  -- nobody is thrown out.
  select case when o.seat_limit > 0 then 'over_capacity' else 'over_capacity_unpaid' end, o.id, o.updated_at
  from public.organizations as o
  join public.organization_subscriptions as s on s.organization_id = o.id
  where o.over_capacity and o.deleted_at is null and s.status <> 'none'
  union all
  select 'deleted_but_charged', o.id, o.deleted_at
  from public.organizations as o
  where o.deleted_at is not null and exists (
    select from private.stripe_subscriptions as s
    where s.organization_id = o.id and s.status in ('active', 'trialing', 'past_due') and not s.cancel_at_period_end
  )
  union all
  select 'several_subscriptions', s.organization_id, max(s.stripe_created_at)
  from private.stripe_subscriptions as s
  where s.status in ('active', 'trialing', 'past_due') and not s.cancel_at_period_end
  group by s.organization_id
  having count(*) > 1;
$$;

comment on function private.health_findings() is
  'What is wrong with single organizations, and since when: one row each.';

create function public.health_report() returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with whole as materialized (
    select private.webhook_health() as webhooks, private.sync_health() as syncs
  ), found as (
    select code, count(*) as n, min(since) as since, (array_agg(organization_id order by since))[:20] as ids
    from private.health_findings()
    group by code
  ), figures as (
    select code, coalesce(n, 0) as n, since, ids
    from unnest(array[
      'changes_overdue', 'changes_stuck', 'clerk_limit_refused', 'deleted_but_charged', 'holds_lapsed',
      'organizations_unswept', 'over_capacity', 'over_capacity_unpaid', 'several_subscriptions'
    ]) as known (code)
    full join found using (code)
    union all
    select code, case when is_wrong then n else 0 end, null, null
    from whole
    cross join lateral (
      select (webhooks #>> '{stripe,late}')::bigint + (webhooks #>> '{clerk,late}')::bigint as late,
        (syncs ->> 'failed')::bigint as failed, (syncs ->> 'sweepsWithMuchDrift')::bigint as drifted
    ) as counted
    cross join lateral (values
      ('webhooks_late', late, true),
      ('much_drift', drifted, true),
      ('syncs_failing', failed, coalesce((syncs ->> 'successRate')::numeric < 0.95, false)),
      ('sweep_not_running', 1, (syncs ->> 'oldestSeconds')::numeric > 3600
        and coalesce((syncs ->> 'lastRunAt')::timestamptz < now() - interval '1 hour', true))
    ) as judged (code, n, is_wrong)
  )
  select jsonb_build_object(
    'at', now(),
    'webhooks', webhooks,
    'syncs', syncs,
    'counts', (select jsonb_object_agg(code, n) from figures),
    'attention', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'code', code, 'count', n, 'since', since, 'organizationIds', to_jsonb(ids)
      )) order by code), '[]')
      from figures
      -- Who has left and not paid is no mistake of anyone's.
      where n > 0 and code <> 'over_capacity_unpaid'
    )
  )
  from whole;
$$;

comment on function public.health_report() is
  'How the whole stands, for those who run it: { at, webhooks: as private.webhook_health(), syncs: as private.sync_health(), counts: { code: number }, attention: [{ code, count, since, organizationIds: at most 20, the longest waiting first }] }. attention is empty when nothing needs a person. Definer: schema private is closed.';
