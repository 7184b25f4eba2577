-- What clients are shown of an organization's seats.

create function public.seat_summary(p_organization_id uuid, p_clerk_org_id text) returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  organization public.organizations;
  subscription public.organization_subscriptions;
  change public.seat_changes;
begin
  select * into organization from public.organizations
  where id = p_organization_id and clerk_org_id = p_clerk_org_id and deleted_at is null;
  if not found then
    perform private.refuse(403, 'not_organization_member', 'You are not a member of this organization.');
  end if;
  select * into subscription from public.organization_subscriptions where organization_id = p_organization_id;
  select * into change from public.seat_changes
  where organization_id = p_organization_id and kind <> 'checkout'
    and state in ('open', 'awaiting_payment', 'stuck', 'scheduled')
  order by created_at desc
  limit 1;
  return jsonb_build_object(
    'organizationId', organization.id,
    'status', coalesce(subscription.status, 'none'),
    'plan', subscription.plan,
    'billingPeriod', subscription.seat_billing_period,
    'purchasedSeats', organization.seat_limit,
    'renewalSeats', subscription.renewal_seats,
    'includedSeats', (select included_seats from public.plans where id = subscription.plan),
    'grantedSeats', coalesce(subscription.granted_seats, 0),
    'membersCount', organization.members_count,
    'pendingInvitationsCount', organization.pending_invitations_count,
    'overCapacity', organization.over_capacity,
    'currentPeriodEnd', subscription.current_period_end,
    'cancelAtPeriodEnd', coalesce(subscription.cancel_at_period_end, false),
    'graceUntil', subscription.grace_until,
    'change', case when change.id is not null then private.change_answer(change) end,
    'stripeCustomerId', subscription.stripe_customer_id,
    'stripeSubscriptionId', subscription.stripe_seat_subscription_id
  );
end;
$$;

comment on function public.seat_summary(uuid, text) is
  'How an organization stands, for its members (by their Clerk token''s organization). change: the one under way or scheduled. Definer: reads on behalf of a function that has verified the token. Raises not_organization_member (403).';

create function public.preview_seat_change(
  p_organization_id uuid,
  p_clerk_org_id text,
  p_seats integer,
  p_plan text default null,
  p_billing_period text default null
) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
  change public.seat_changes := private.require_seat_change(organization, p_plan, p_billing_period, p_seats);
  known private.stripe_subscriptions;
begin
  select * into known from private.stripe_subscriptions where stripe_subscription_id = change.stripe_subscription_id;
  return jsonb_build_object(
    'kind', change.kind,
    'before', private.price_of(change.plan_before, change.billing_period_before, change.seats_before),
    'after', private.price_of(change.plan, change.billing_period, change.seats),
    'periodEnd', change.period_end,
    'startsPeriod', change.billing_period <> change.billing_period_before,
    'trialing', known.status = 'trialing',
    'cancelAtPeriodEnd', known.cancel_at_period_end,
    'subscriptionId', change.stripe_subscription_id,
    'itemId', known.stripe_item_id,
    'customerId', (select stripe_customer_id from public.organization_subscriptions as s
      where s.organization_id = p_organization_id)
  );
end;
$$;

comment on function public.preview_seat_change(uuid, text, integer, text, text) is
  'What start_seat_change() would do, without doing it: { kind, before, after: prices with their seats, periodEnd, and what Stripe needs }. Definer: see start_seat_change(). Raises not_organization_admin (403) and what private.require_seat_change() raises.';

create function private.price_of(p_plan text, p_billing_period text, p_seats integer) returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', price.plan, 'billingPeriod', price.billing_period, 'seats', p_seats, 'lookupKey', price.lookup_key,
    'currency', price.currency, 'baseAmount', price.base_amount, 'seatAmount', price.seat_amount,
    'includedSeats', plan.included_seats
  )
  from public.plan_prices as price
  join public.plans as plan on plan.id = price.plan
  where (price.plan, price.billing_period) = (p_plan, p_billing_period);
$$;

comment on function private.price_of(text, text, integer) is
  'A price with a number of seats, amounts in the currency''s smallest unit.';

create function public.seat_usage(p_organization_id uuid, p_clerk_org_id text, p_from date, p_to date)
returns table (day date, purchased_seats integer, seats_used integer, peak_seats_used integer)
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if not exists (
    select from public.organizations
    where id = p_organization_id and clerk_org_id = p_clerk_org_id and deleted_at is null
  ) then
    perform private.refuse(403, 'not_organization_admin', 'You are not an admin of this organization.');
  elsif p_from is null or p_to is null or p_to not between p_from and p_from + 365 then
    perform private.refuse(400, 'invalid_request', 'Ask for 1 to 366 days, the first one first.',
      jsonb_build_object('from', p_from, 'to', p_to));
  end if;
  return query
  with booked as (
    select
      -- What came before the first day is what that day begins with.
      greatest((b.created_at at time zone 'UTC')::date, p_from - 1) as booked_on,
      (array_agg(b.purchased_seats order by b.id desc))[1] as purchased,
      (array_agg(b.seats_used order by b.id desc))[1] as used,
      max(b.seats_used) as peak
    from public.billing_changes as b
    where b.organization_id = p_organization_id and b.created_at < (p_to + 1)::timestamp at time zone 'UTC'
    group by 1
  ), days as (
    -- A day without a booking is numbered, and so ends, like the last one with any.
    select d.on_day, b.purchased, b.used, b.peak, count(b.booked_on) over (order by d.on_day) as last_booked
    from (
      select p_from + n as on_day
      from generate_series(-1, least(p_to, (now() at time zone 'UTC')::date) - p_from) as n
    ) as d
    left join booked as b on b.booked_on = d.on_day
  ), closings as (
    select d.on_day, d.peak, coalesce(max(d.purchased) over same_end, 0) as purchased,
      coalesce(max(d.used) over same_end, 0) as used
    from days as d
    window same_end as (partition by d.last_booked)
  ), openings as (
    select c.*, lag(c.used) over (order by c.on_day) as used_before
    from closings as c
  )
  select o.on_day, o.purchased, o.used, greatest(o.used_before, o.peak)
  from openings as o
  where o.on_day >= p_from
  order by o.on_day;
end;
$$;

comment on function public.seat_usage(uuid, text, date, date) is
  'Seats purchased and used at the end of each day (UTC) from p_from to p_to, both included, or until today, from the account book; and the most that were used at once that day. Definer: see seat_summary(). Raises not_organization_admin (403), invalid_request (400).';
