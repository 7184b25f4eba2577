-- Changing what is paid for: decided and made durable here, then Stripe is asked,
-- then settled by what Stripe says.

create function private.change_answer(p_change public.seat_changes) returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'seatChangeId', p_change.id,
    'state', p_change.state,
    'kind', p_change.kind,
    'seats', p_change.seats,
    'plan', p_change.plan,
    'billingPeriod', p_change.billing_period,
    'effectiveAt', case when p_change.kind = 'renewal' and p_change.state = 'scheduled' then p_change.period_end end,
    'paymentUrl', case when p_change.state = 'awaiting_payment' then p_change.payment_url end,
    'error', p_change.error
  );
$$;

comment on function private.change_answer(public.seat_changes) is 'A change as clients see it.';

create function private.require_room_at_stripe(p_subscription_id text, p_charged boolean) returns void
language plpgsql
set search_path = ''
as $$
declare
  retry_at timestamptz;
begin
  -- A subscription takes 10 new invoices a minute, 20 a day and 200 quantity
  -- updates an hour (Stripe: rate limits, subscriptions).
  select max(nth.created_at + allowed.span) into retry_at
  from (values (true, 10, interval '1 minute'), (true, 20, interval '1 day'), (false, 200, interval '1 hour'))
    as allowed (charged, n, span)
  cross join lateral (
    select c.created_at
    from public.seat_changes as c
    where c.stripe_subscription_id = p_subscription_id
      and (c.kind = 'now' or not allowed.charged)
      and c.created_at > now() - allowed.span
    order by c.created_at desc
    offset allowed.n - 1
    limit 1
  ) as nth
  where p_charged or not allowed.charged;
  if retry_at is not null then
    perform private.refuse(429, 'too_many_changes', 'This subscription has been changed too often.',
      jsonb_build_object('retryAt', retry_at,
        'retryAfter', ceil(extract(epoch from retry_at - now()))));
  end if;
end;
$$;

comment on function private.require_room_at_stripe(text, boolean) is
  'Raises too_many_changes (429), with when to try again, for a change that would go past Stripe''s limits.';

create function private.require_seat_change(
  p_organization public.organizations,
  p_plan text,
  p_billing_period text,
  p_seats integer
) returns public.seat_changes
language plpgsql
set search_path = ''
as $$
declare
  subscription public.organization_subscriptions;
  known private.stripe_subscriptions;
  change public.seat_changes;
  step integer;
  is_free boolean;
begin
  perform private.require_approved(p_organization);
  select * into subscription from public.organization_subscriptions where organization_id = p_organization.id;
  select * into known from private.stripe_subscriptions
  where stripe_subscription_id = subscription.stripe_seat_subscription_id;
  if known.status = 'unpaid' then
    perform private.refuse(409, 'payment_overdue', 'The open invoice has to be paid first.');
  elsif known.status not in ('active', 'trialing', 'past_due')
    or private.seats_of(known) is distinct from known.quantity then
    perform private.refuse(409, 'no_subscription', 'There is no subscription to change: buy one first.',
      jsonb_build_object('status', coalesce(subscription.status, 'none'), 'buyWith', 'create-seat-checkout-session'));
  end if;

  change.organization_id := p_organization.id;
  change.plan := coalesce(p_plan, subscription.plan);
  change.billing_period := coalesce(p_billing_period, subscription.seat_billing_period);
  change.seats := p_seats;
  change.stripe_subscription_id := known.stripe_subscription_id;
  change.plan_before := subscription.plan;
  change.billing_period_before := subscription.seat_billing_period;
  change.seats_before := subscription.purchased_seats;
  change.renewal_seats_before := subscription.renewal_seats;
  change.period_end := known.current_period_end;
  perform private.require_plan(change.plan, change.billing_period, p_seats);
  if p_seats < p_organization.seats_used then
    perform private.refuse(409, 'seats_below_usage', 'More seats than that are in use.',
      jsonb_build_object('seats', p_seats, 'seatsUsed', p_organization.seats_used));
  end if;

  select new.rank - old.rank into step
  from public.plans as new, public.plans as old
  where new.id = change.plan and old.id = change.plan_before;
  is_free := step <= 0 and p_seats <= change.seats_before and change.billing_period = change.billing_period_before;
  change.kind := case when is_free then 'renewal' else 'now' end;

  if (p_seats, change.plan, change.billing_period) = (known.quantity, known.plan, known.billing_period) then
    perform private.refuse(409, 'nothing_to_change', 'That is how it is already.');
  elsif step < 0 and not is_free then
    perform private.refuse(422, 'downgrade_alone',
      'A lower plan waits for renewal: change the seats or the billing period by itself.',
      jsonb_build_object('plan', change.plan, 'seatsBefore', change.seats_before));
  elsif change.kind = 'now' and (known.quantity, known.plan) is distinct from (change.seats_before, change.plan_before) then
    perform private.refuse(409, 'change_scheduled',
      'A decrease is scheduled: take it back first, which is free.',
      jsonb_build_object('renewalSeats', subscription.renewal_seats, 'undoWith', 'DELETE scheduled-change'));
  elsif change.kind = 'now' and known.status = 'past_due' then
    perform private.refuse(409, 'payment_overdue', 'The open invoice has to be paid first.');
  elsif known.status = 'trialing' and change.billing_period <> change.billing_period_before then
    -- What a period that begins now does to a trial is not documented.
    perform private.refuse(409, 'trial_under_way', 'The billing period can be changed once the trial is over.',
      jsonb_build_object('trialEnd', change.period_end));
  end if;
  return change;
end;
$$;

comment on function private.require_seat_change(public.organizations, text, text, integer) is
  'What a change would be: its kind, and what was before. Raises no_subscription, seats_below_usage, nothing_to_change, change_scheduled, payment_overdue, trial_under_way (409), downgrade_alone (422) and what private.require_approved() and private.require_plan() raise.';

create function private.require_proration_date(
  p_proration_date timestamptz,
  p_period_start timestamptz,
  p_now timestamptz
) returns void
language plpgsql
set search_path = ''
as $$
declare
  -- A preview counts for an hour, and clocks may differ by a minute.
  earliest constant timestamptz := greatest(p_now - interval '1 hour', p_period_start);
  latest constant timestamptz := p_now + interval '1 minute';
begin
  if p_proration_date not between earliest and latest then
    perform private.refuse(422, 'proration_date_out_of_range', 'Preview the change again: that moment is not now.',
      jsonb_build_object('prorationDate', p_proration_date, 'earliest', earliest, 'latest', latest));
  end if;
end;
$$;

comment on function private.require_proration_date(timestamptz, timestamptz, timestamptz) is
  'Who could name the moment to prorate from would name the price: one near the period''s end makes seats free, one near its start gives back what has been used. Raises proration_date_out_of_range (422).';

create function public.start_seat_change(
  p_organization_id uuid,
  p_clerk_org_id text,
  p_seats integer,
  p_idempotency_key text,
  p_actor text,
  p_plan text default null,
  p_billing_period text default null,
  p_proration_date timestamptz default null,
  p_now timestamptz default clock_timestamp()
) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
  known private.stripe_subscriptions;
  change public.seat_changes;
  other public.seat_changes;
  is_new boolean;
begin
  perform private.set_cause(p_actor, 'start_seat_change');
  select * into change from public.seat_changes
  where organization_id = p_organization_id and idempotency_key = p_idempotency_key;
  is_new := not found;
  if not is_new then
    if change.seats is distinct from p_seats
      or change.plan <> coalesce(p_plan, change.plan_before)
      or change.billing_period <> coalesce(p_billing_period, change.billing_period_before)
      or change.proration_date <> date_trunc('second', coalesce(p_proration_date, change.proration_date)) then
      perform private.refuse(422, 'idempotency_key_reused', 'This Idempotency-Key belongs to another change.');
    end if;
  else
    select * into other from public.seat_changes
    where organization_id = p_organization_id and kind <> 'checkout'
      and state in ('open', 'awaiting_payment', 'stuck');
    if found then
      perform private.refuse(409, 'change_in_progress', 'Another change is under way.', private.change_answer(other));
    end if;
    perform private.expire_invitations(p_organization_id);
    select * into organization from public.organizations where id = p_organization_id;
    change := private.require_seat_change(organization, p_plan, p_billing_period, p_seats);
    perform private.require_proration_date(p_proration_date, (
      select current_period_start from private.stripe_subscriptions as s
      where s.stripe_subscription_id = change.stripe_subscription_id
    ), p_now);
    perform private.require_room_at_stripe(change.stripe_subscription_id, change.kind = 'now');

    -- A checkout that is still open has nothing left to buy.
    update public.seat_changes set state = 'superseded' where organization_id = p_organization_id and state = 'open';
    insert into public.seat_changes (
      organization_id, kind, plan, billing_period, seats, actor, expires_at, idempotency_key, stripe_subscription_id,
      plan_before, billing_period_before, seats_before, renewal_seats_before, proration_date, period_end
    ) values (
      p_organization_id, change.kind, change.plan, change.billing_period, p_seats, p_actor,
      clock_timestamp() + interval '23 hours', p_idempotency_key, change.stripe_subscription_id, change.plan_before,
      change.billing_period_before, change.seats_before, change.renewal_seats_before,
      date_trunc('second', coalesce(p_proration_date, p_now)), change.period_end
    ) returning * into change;
    -- Seats that are given up are given up here first: nobody can take them now.
    perform private.choose_subscription(p_organization_id);
  end if;

  select * into known from private.stripe_subscriptions where stripe_subscription_id = change.stripe_subscription_id;
  return private.change_answer(change) || jsonb_build_object(
    'subscriptionId', change.stripe_subscription_id,
    'itemId', known.stripe_item_id,
    'version', known.version,
    'lookupKey', (
      select lookup_key from public.plan_prices where (plan, billing_period) = (change.plan, change.billing_period)
    ),
    'prorationDate', extract(epoch from change.proration_date)::bigint,
    'startsPeriod', change.billing_period <> change.billing_period_before,
    'isNew', is_new,
    'periodEnd', extract(epoch from change.period_end)::bigint,
    'planBefore', change.plan_before,
    'seatsBefore', change.renewal_seats_before
  );
end;
$$;

comment on function public.start_seat_change(uuid, text, integer, text, text, text, text, timestamptz, timestamptz) is
  'Decides whether seats, plan or period may be changed and records the intent; fewer seats are given up at once. Plan and period stay unless they are given. p_proration_date: as the preview said. p_now: by the clock that it was said by. The same key again returns the same change. Returns a change { seatChangeId: Stripe''s idempotency key, state, kind, seats, plan, billingPeriod, effectiveAt, paymentUrl, error } and what Stripe needs: { subscriptionId, itemId, version, lookupKey, prorationDate: seconds, startsPeriod: whether the new billing period begins now, isNew: whether this key comes for the first time, periodEnd: seconds, when the period ends that it was judged by, seatsBefore: the quantity that Stripe was known to have }, and for alerts { planBefore }. Definer: the tables take no direct writes. Raises not_organization_admin (403), change_in_progress (409), idempotency_key_reused, proration_date_out_of_range (422), too_many_changes (429) and what private.require_seat_change() raises.';

create function private.settle_changes(p_known private.stripe_subscriptions, p_answered uuid default null) returns void
language plpgsql
set search_path = ''
as $$
begin
  -- Most events come while nothing is under way: an update that meets no row has
  -- its triggers called all the same.
  if not exists (
    select from public.seat_changes
    where stripe_subscription_id = p_known.stripe_subscription_id
      and (state in ('open', 'awaiting_payment', 'stuck', 'scheduled') or state = 'failed' and id = p_answered)
  ) then
    return;
  end if;
  update public.seat_changes as c
  set state = settled.state,
      error = null,
      payment_url = case when settled.state = 'awaiting_payment' then c.payment_url end
  from (
    select s.id, case
      when s.kind = 'now' and (p_known.quantity, p_known.plan, p_known.billing_period)
        = (s.seats, s.plan, s.billing_period) then 'completed'
      when s.kind = 'now' and p_known.pending_update and (s.state <> 'failed' or not exists (
        select from public.seat_changes as other
        where other.organization_id = s.organization_id and other.state in ('open', 'awaiting_payment', 'stuck')
      )) then 'awaiting_payment'
      when s.kind = 'now' and s.state = 'awaiting_payment' then 'expired'
      -- Unpaid is not over: once it is paid, the period gives what it was billed for.
      when s.state = 'scheduled' and p_known.status in ('canceled', 'incomplete_expired') then 'superseded'
      when s.kind = 'renewal' and s.state = 'scheduled' and p_known.current_period_end > s.period_end then 'completed'
      when s.kind = 'renewal' and s.state = 'scheduled' and (p_known.quantity, p_known.plan) <> (s.seats, s.plan)
        then 'superseded'
      when s.kind = 'renewal' and s.state <> 'scheduled' and (p_known.quantity, p_known.plan) = (s.seats, s.plan) then
        case when (s.seats, s.plan) = (s.seats_before, s.plan_before) or p_known.current_period_end > s.period_end
          then 'completed' else 'scheduled' end
      else s.state
    end as state
    from public.seat_changes as s
    where s.stripe_subscription_id = p_known.stripe_subscription_id
      and (s.state in ('open', 'awaiting_payment', 'stuck', 'scheduled') or s.state = 'failed' and s.id = p_answered)
  ) as settled
  where c.id = settled.id and c.state <> settled.state;

  -- Of several renewal changes the last one that Stripe knows is the one that holds.
  update public.seat_changes as c set state = 'superseded'
  where c.stripe_subscription_id = p_known.stripe_subscription_id and c.state = 'scheduled'
    and exists (
      select from public.seat_changes as later
      where later.stripe_subscription_id = c.stripe_subscription_id and later.kind = 'renewal'
        and later.state in ('scheduled', 'completed') and later.created_at > c.created_at
    );
end;
$$;

comment on function private.settle_changes(private.stripe_subscriptions, uuid) is
  'Ends or moves on the changes of a subscription as its newest state shows them to have ended. p_answered: the one that this state is Stripe''s answer to, which outweighs a sweep that has already called it failed.';

create function private.take_in_subscription(
  p_organization_id uuid,
  p_subscription_id text,
  p_answered uuid default null
) returns void
language plpgsql
set search_path = ''
as $$
declare
  known private.stripe_subscriptions := (
    select s from private.stripe_subscriptions as s where s.stripe_subscription_id = p_subscription_id
  );
begin
  perform private.settle_changes(known, p_answered);
  perform private.choose_subscription(p_organization_id);
end;
$$;

comment on function private.take_in_subscription(uuid, text, uuid) is
  'What follows from a newly recorded state of a subscription: changes end, numbers are derived. p_answered: see private.settle_changes().';

create function public.settle_seat_change(p_seat_change_id uuid, p_answer jsonb, p_error text default null)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  change public.seat_changes;
  known private.stripe_subscriptions;
  said private.stripe_subscriptions;
begin
  select * into change from public.seat_changes where id = p_seat_change_id;
  if not found then
    perform private.refuse(404, 'seat_change_not_found', 'There is no such change.');
  end if;
  perform private.lock_organization(change.organization_id);
  perform private.set_cause(change.actor, 'settle_seat_change');
  select * into change from public.seat_changes where id = p_seat_change_id;

  if change.state not in ('open', 'awaiting_payment', 'stuck', 'failed')
    or change.state = 'awaiting_payment' and change.payment_url is not null then
    -- An event, or the same call at the same time, has settled it.
    return private.change_answer(change);
  elsif p_error is not null and not coalesce(p_answer ? 'subscription', false) then
    update public.seat_changes set state = 'failed', error = left(p_error, 1024)
    where id = p_seat_change_id and state in ('open', 'stuck');
    perform private.choose_subscription(change.organization_id);
  else
    select * into known from private.stripe_subscriptions where stripe_subscription_id = change.stripe_subscription_id;
    if known.version <> (p_answer ->> 'version')::bigint then
      return jsonb_build_object('state', 'ask_stripe', 'version', known.version);
    end if;
    said := private.read_subscription(p_answer -> 'subscription');
    said.organization_id := change.organization_id;
    said.first_payment := known.first_payment;
    said.watermark := to_timestamp((p_answer ->> 'readAt')::bigint);
    said.watermark_asked := true;
    said.watermark_tiebreak := '';
    said.version := 1;
    perform private.record_subscription(said);
    if p_error is null then
      -- Also where an event came first: it knows that a payment is awaited, but not where.
      update public.seat_changes set payment_url = p_answer ->> 'paymentUrl'
      where id = p_seat_change_id and state in ('open', 'awaiting_payment', 'stuck', 'failed');
    else
      update public.seat_changes set state = 'failed', error = left(p_error, 1024)
      where id = p_seat_change_id and state in ('open', 'stuck');
    end if;
    perform private.take_in_subscription(change.organization_id, change.stripe_subscription_id,
      case when p_error is null then p_seat_change_id end);
  end if;
  select * into change from public.seat_changes where id = p_seat_change_id;
  return private.change_answer(change);
end;
$$;

comment on function public.settle_seat_change(uuid, jsonb, text) is
  'Records how Stripe answered a change: p_answer = { version: as start_seat_change() returned it, readAt: seconds, subscription, paymentUrl }, or p_error = the code it was refused with, which takes the change back, or both: Stripe was not asked, for the subscription is another than the one that the change was judged by. Returns the change, or { state: ask_stripe, version } when the subscription has moved meanwhile: fetch it and call again. Definer: the tables take no direct writes. Raises seat_change_not_found (404).';

create function public.mark_seat_change_stuck(p_seat_change_id uuid, p_error text) returns void
language sql
security definer
set search_path = ''
as $$
  update public.seat_changes set state = 'stuck', error = left(p_error, 1024)
  where id = p_seat_change_id and state = 'open';
$$;

comment on function public.mark_seat_change_stuck(uuid, text) is
  'Notes that a change could not be taken back, or that nobody knows how it ended. The next sweep settles it. Definer: the tables take no direct writes.';

create function public.grant_seats(p_organization_id uuid, p_seats integer, p_reason text, p_actor text) returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  if p_seats is null or p_seats < 0 then
    perform private.refuse(400, 'invalid_request', 'Seats are a number from 0 on.');
  elsif coalesce(btrim(p_reason), '') = '' then
    perform private.refuse(400, 'invalid_request', 'Free seats need a reason.');
  end if;
  perform private.set_cause(p_actor, 'grant_seats: ' || left(p_reason, 256));
  perform private.lock_organization(p_organization_id);
  insert into public.organization_subscriptions (organization_id, granted_seats)
  values (p_organization_id, p_seats)
  on conflict (organization_id) do update set granted_seats = excluded.granted_seats;
  perform private.choose_subscription(p_organization_id);
end;
$$;

comment on function public.grant_seats(uuid, integer, text, text) is
  'Gives an organization free seats, or takes them back with 0. They count while no subscription gives any. The reason goes into the account book. Definer: the tables take no direct writes. Raises organization_not_found (404), invalid_request (400).';
