-- Facts from Stripe. Each subscription is recorded by itself; the current one of
-- an organization is chosen from them, so that the order of events cannot matter.

create function private.stripe_id(p_reference jsonb) returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case jsonb_typeof(p_reference)
    when 'string' then p_reference #>> '{}'
    when 'object' then p_reference ->> 'id'
  end;
end;
$$;

comment on function private.stripe_id(jsonb) is
  'The id behind a reference of Stripe''s, which is the id itself or the expanded object.';

create function private.read_subscription(p_subscription jsonb) returns private.stripe_subscriptions
language plpgsql
stable
set search_path = ''
as $$
declare
  items constant jsonb := p_subscription #> '{items,data}';
  item jsonb;
  price public.plan_prices;
  known private.stripe_subscriptions;
  state private.stripe_subscriptions;
begin
  for n in 0 .. coalesce(jsonb_array_length(items), 0) - 1 loop
    item := items -> n;
    price := (select p from public.plan_prices as p where p.lookup_key = item #>> '{price,lookup_key}');
    exit when price.plan is not null;
  end loop;
  state.plan := price.plan;
  -- A lookup key moves on when a price is replaced; subscribers stay behind on
  -- a price without one.
  if state.plan is null then
    known := (
      select s from private.stripe_subscriptions as s where s.stripe_subscription_id = p_subscription ->> 'id'
    );
    item := (select i from jsonb_array_elements(items) as i where i ->> 'id' = known.stripe_item_id limit 1);
    state.plan := known.plan;
  end if;
  if state.plan is null then
    item := items -> 0;
    state.plan := (
      select id from public.plans where id = p_subscription #>> '{metadata,plan}' and item is not null
    );
  end if;
  if state.plan is null then
    return null;
  end if;

  state.stripe_subscription_id := p_subscription ->> 'id';
  state.stripe_item_id := item ->> 'id';
  -- Without the item that sold them it may go on for something else, but for seats it is over.
  state.status := case when item is null then 'canceled' else p_subscription ->> 'status' end;
  state.billing_period := coalesce(price.billing_period, case item #>> '{price,recurring,interval}'
    when 'month' then 'monthly' when 'year' then 'yearly' end, known.billing_period);
  state.quantity := coalesce((item ->> 'quantity')::integer, 0);
  -- On the item; in events of an API before 2025-03-31 on the subscription (Stripe: API changelog).
  state.current_period_start := to_timestamp(
    coalesce(item ->> 'current_period_start', p_subscription ->> 'current_period_start')::bigint);
  state.current_period_end := to_timestamp(
    coalesce(item ->> 'current_period_end', p_subscription ->> 'current_period_end')::bigint);
  state.pending_update := coalesce(jsonb_typeof(p_subscription -> 'pending_update') = 'object', false);
  state.cancel_at_period_end := coalesce((p_subscription ->> 'cancel_at_period_end')::boolean, false)
    or coalesce(to_timestamp((p_subscription ->> 'cancel_at')::bigint) = state.current_period_end, false);
  state.stripe_created_at := to_timestamp((p_subscription ->> 'created')::bigint);
  return state;
end;
$$;

comment on function private.read_subscription(jsonb) is
  'What a Stripe subscription says of seats, taken from the item that sells them; canceled when that has been taken out, all null when there never was one.';

create function private.later_first_payment(p_one text, p_other text) returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when 'paid' in (p_one, p_other) then 'paid'
    when 'awaited' in (p_one, p_other) then 'awaited'
    when 'assumed' in (p_one, p_other) then 'assumed'
    else 'unknown'
  end;
end;
$$;

comment on function private.later_first_payment(text, text) is
  'Which of two findings about the first payment stands: evidence beats assumption, paid beats all.';

create function private.seats_of(p_subscription private.stripe_subscriptions) returns integer
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_subscription.status in ('active', 'trialing', 'past_due')
      and p_subscription.first_payment in ('paid', 'assumed')
    then p_subscription.quantity
    else 0
  end;
end;
$$;

comment on function private.seats_of(private.stripe_subscriptions) is
  'The seats that a subscription gives: its quantity while it is active, trialing or past due, once its first invoice is paid.';

create function private.is_for_a_period(p_invoice jsonb) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(p_invoice ->> 'billing_reason' in ('subscription_create', 'subscription_cycle'), false);
end;
$$;

comment on function private.is_for_a_period(jsonb) is
  'Whether an invoice is for a whole period of its subscription. One in between, for a change or made by hand, can be paid, even with nothing, while the first one is open.';

create function private.first_payment_of(p_subscription jsonb) returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  invoice constant jsonb := p_subscription -> 'latest_invoice';
begin
  return case
    when p_subscription ->> 'status' = 'trialing' then 'paid'
    when jsonb_typeof(invoice) = 'string' then 'unknown'
    when jsonb_typeof(invoice) is distinct from 'object' then 'paid'
    when private.is_for_a_period(invoice) and invoice ->> 'status' = 'paid' then 'paid'
    when invoice ->> 'billing_reason' = 'subscription_create' then 'awaited'
    -- One in between, or of a later period: by itself it says nothing of the first.
    else 'assumed'
  end;
end;
$$;

comment on function private.first_payment_of(jsonb) is
  'What a subscription with its latest invoice expanded says of the first payment. With a delayed payment method Stripe calls it active before it is paid (Stripe: Checkout, delayed notification payment methods).';

create function private.record_subscription(p_state private.stripe_subscriptions) returns void
language plpgsql
set search_path = ''
as $$
begin
  update private.stripe_subscriptions as known
  set stripe_item_id = p_state.stripe_item_id,
      status = p_state.status,
      plan = p_state.plan,
      billing_period = p_state.billing_period,
      quantity = p_state.quantity,
      current_period_start = p_state.current_period_start,
      current_period_end = p_state.current_period_end,
      pending_update = p_state.pending_update,
      cancel_at_period_end = p_state.cancel_at_period_end,
      first_payment = private.later_first_payment(known.first_payment, p_state.first_payment),
      stripe_created_at = p_state.stripe_created_at,
      watermark = greatest(known.watermark, p_state.watermark),
      watermark_asked = p_state.watermark_asked,
      watermark_tiebreak = p_state.watermark_tiebreak,
      version = known.version + 1
  where known.stripe_subscription_id = p_state.stripe_subscription_id;
  if not found then
    insert into private.stripe_subscriptions select p_state.*;
  end if;
end;
$$;

comment on function private.record_subscription(private.stripe_subscriptions) is
  'Writes a state of a subscription that has been found to be the newest. The organization is locked by the caller.';

create function private.held_change(p_known private.stripe_subscriptions) returns public.seat_changes
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select c
    from public.seat_changes as c
    where c.stripe_subscription_id = p_known.stripe_subscription_id
      and c.kind = 'renewal'
      and c.period_end = p_known.current_period_end
      and private.seats_of(p_known) > 0
      and (
        c.state in ('open', 'stuck') and p_known.quantity in (c.seats, c.renewal_seats_before)
        or c.state = 'scheduled' and (p_known.quantity, p_known.plan) = (c.seats, c.plan)
      )
    order by c.created_at desc
    limit 1
  );
end;
$$;

comment on function private.held_change(private.stripe_subscriptions) is
  'The renewal change of ours that explains the quantity in Stripe, all null when none does: until its period ends, the seats and the plan that are paid for stay. A quantity that somebody else has set is no such change, and counts at once.';

create function private.seats_to_come(p_subscription_id text) returns integer
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select seats
    from public.seat_changes
    where stripe_subscription_id = p_subscription_id
      and kind = 'now' and state in ('open', 'awaiting_payment', 'stuck')
  );
end;
$$;

comment on function private.seats_to_come(text) is
  'The seats of the change that Stripe may make at any moment, null when none is under way: another billing period can come with fewer seats, and nobody may take those meanwhile.';

create function private.choose_subscription(p_organization_id uuid) returns void
language plpgsql
set search_path = ''
as $$
declare
  current public.organization_subscriptions := (
    select s from public.organization_subscriptions as s where s.organization_id = p_organization_id
  );
  -- One that gives seats before one that gives none, then the newest. An
  -- organization with free seats alone has none at all.
  known private.stripe_subscriptions := (
    select s from private.stripe_subscriptions as s
    where s.organization_id = p_organization_id
    order by private.seats_of(s) > 0 desc, s.stripe_created_at desc, s.stripe_subscription_id desc
    limit 1
  );
  chosen public.organization_subscriptions := current;
  given integer := private.seats_of(known);
  held public.seat_changes;
begin
  chosen.stripe_seat_subscription_id := known.stripe_subscription_id;
  chosen.stripe_seat_item_id := known.stripe_item_id;
  chosen.status := coalesce(known.status, 'none');
  chosen.plan := known.plan;
  chosen.seat_billing_period := known.billing_period;
  chosen.purchased_seats := coalesce(current.granted_seats, 0);
  chosen.renewal_seats := case
    when current.granted_seats > 0 then current.granted_seats
    when known.stripe_subscription_id is not null then 0
  end;
  if given > 0 then
    held := private.held_change(known);
    chosen.plan := coalesce(held.plan_before, known.plan);
    chosen.purchased_seats := coalesce(held.seats_before, given);
    chosen.renewal_seats := least(given, held.seats, private.seats_to_come(known.stripe_subscription_id));
  end if;
  chosen.current_period_end := known.current_period_end;
  chosen.cancel_at_period_end := coalesce(known.cancel_at_period_end, false);
  chosen.grace_until := case when known.status = 'past_due'
    then known.current_period_start + (select grace_period from private.settings) end;

  if chosen is distinct from current then
    insert into public.organization_subscriptions (
      organization_id, stripe_seat_subscription_id, stripe_seat_item_id, status, plan, seat_billing_period,
      purchased_seats, renewal_seats, current_period_end, cancel_at_period_end, grace_until
    ) values (
      p_organization_id, chosen.stripe_seat_subscription_id, chosen.stripe_seat_item_id, chosen.status, chosen.plan,
      chosen.seat_billing_period, chosen.purchased_seats, chosen.renewal_seats, chosen.current_period_end,
      chosen.cancel_at_period_end, chosen.grace_until
    )
    on conflict (organization_id) do update set
      stripe_seat_subscription_id = excluded.stripe_seat_subscription_id,
      stripe_seat_item_id = excluded.stripe_seat_item_id,
      status = excluded.status,
      plan = excluded.plan,
      seat_billing_period = excluded.seat_billing_period,
      purchased_seats = excluded.purchased_seats,
      renewal_seats = excluded.renewal_seats,
      current_period_end = excluded.current_period_end,
      cancel_at_period_end = excluded.cancel_at_period_end,
      grace_until = excluded.grace_until;
  end if;
end;
$$;

comment on function private.choose_subscription(uuid) is
  'Makes the organization''s current subscription the best of those that Stripe has told us of. An older one never replaces one that is alive.';

create function private.same_subscription(
  p_one private.stripe_subscriptions,
  p_other private.stripe_subscriptions
) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (p_one.status, p_one.stripe_item_id, p_one.plan, p_one.billing_period, p_one.quantity,
      p_one.current_period_start, p_one.current_period_end, p_one.pending_update, p_one.cancel_at_period_end)
    is not distinct from (p_other.status, p_other.stripe_item_id, p_other.plan, p_other.billing_period,
      p_other.quantity, p_other.current_period_start, p_other.current_period_end, p_other.pending_update,
      p_other.cancel_at_period_end);
end;
$$;

comment on function private.same_subscription(private.stripe_subscriptions, private.stripe_subscriptions) is
  'Whether two states of a subscription say the same of seats.';

create function private.judge_subscription_event(
  p_known private.stripe_subscriptions,
  p_said private.stripe_subscriptions,
  p_created timestamptz,
  p_tiebreak text,
  p_stripe_does_not_know boolean
) returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_known.stripe_subscription_id is null or p_created > p_known.watermark then
      case
        -- Active is not yet paid: the first time, Stripe is asked.
        when p_said.status not in ('active', 'past_due')
          or p_known.first_payment = 'paid'
          or p_stripe_does_not_know
        then 'newer'
        else 'ask'
      end
    -- The tie of a second is between events, whether or not they say the same:
    -- the one that wins it must be known, for the next to be measured by.
    when private.same_subscription(p_known, p_said) then
      case when p_created = p_known.watermark and p_tiebreak > p_known.watermark_tiebreak then 'newer' else 'same' end
    when p_created < p_known.watermark and not p_known.watermark_asked then 'stale'
    when not p_stripe_does_not_know then 'ask'
    when p_created = p_known.watermark and p_tiebreak > p_known.watermark_tiebreak then 'newer'
    else 'stale'
  end;
end;
$$;

comment on function private.judge_subscription_event(
  private.stripe_subscriptions, private.stripe_subscriptions, timestamptz, text, boolean
) is
  'What to do with the state in a subscription event: newer (record it), same, stale, or ask (its place in time cannot be told from whole seconds, or it is not known to be paid: ask Stripe for the object).';

create function private.judge_payment_event(
  p_known private.stripe_subscriptions,
  p_type text,
  p_object jsonb,
  p_stripe_does_not_know boolean
) returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_type = 'checkout.session.completed' and p_object ->> 'payment_status' = 'unpaid' then
      case when p_known.status is not null or p_stripe_does_not_know then 'awaited' else 'ask' end
    when p_type in ('checkout.session.completed', 'checkout.session.async_payment_succeeded', 'invoice.paid') then
      case
        when not p_stripe_does_not_know and coalesce(p_known.status, '') not in ('active', 'trialing') then 'ask'
        when p_known.first_payment = 'paid' then 'same'
        when p_type <> 'invoice.paid' or private.is_for_a_period(p_object) then 'paid'
        when p_stripe_does_not_know then 'same'
        else 'ask'
      end
    when p_stripe_does_not_know or p_known.status not in ('active', 'trialing') then 'same'
    else 'ask'
  end;
end;
$$;

comment on function private.judge_payment_event(private.stripe_subscriptions, text, jsonb, boolean) is
  'What to do with a session or invoice event: note the first payment as paid or awaited, nothing (same), or ask (it says that the subscription has changed, but not how).';

create function private.record_first_payment(p_organization_id uuid, p_subscription_id text, p_first_payment text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  -- Without a row yet, and with a Stripe that cannot be asked, the finding waits
  -- in one that gives no seats.
  insert into private.stripe_subscriptions as known (
    stripe_subscription_id, organization_id, status, quantity, first_payment, stripe_created_at, watermark
  ) values (
    p_subscription_id, p_organization_id, 'incomplete', 0, p_first_payment, '-infinity', '-infinity'
  )
  on conflict (stripe_subscription_id) do update set
    first_payment = private.later_first_payment(known.first_payment, excluded.first_payment),
    version = known.version + 1;
end;
$$;

comment on function private.record_first_payment(uuid, text, text) is
  'Notes whether the first invoice of a subscription is paid. The organization is locked by the caller.';

create function private.settle_checkout(p_organization_id uuid, p_session jsonb, p_type text) returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.seat_changes
  set stripe_checkout_session_id = p_session ->> 'id',
      state = case
        when p_type = 'checkout.session.expired' then 'expired'
        when p_type = 'checkout.session.async_payment_failed' then 'failed'
        when p_type = 'checkout.session.completed' and p_session ->> 'payment_status' = 'unpaid' then 'awaiting_payment'
        else 'completed'
      end
  where id = private.to_uuid(p_session #>> '{metadata,seat_change_id}')
    and organization_id = p_organization_id
    and state in ('open', 'superseded', 'awaiting_payment')
    and not (state = 'awaiting_payment' and p_type = 'checkout.session.completed');
end;
$$;

comment on function private.settle_checkout(uuid, jsonb, text) is
  'Ends the intent behind a Checkout Session as Stripe says it ended.';

create function private.organization_of_customer(p_object jsonb, p_subscription_id text)
returns public.organizations
language plpgsql
set search_path = ''
as $$
declare
  named_id uuid := private.to_uuid(coalesce(
    p_object ->> 'client_reference_id',
    p_object #>> '{metadata,organization_id}',
    p_object #>> '{parent,subscription_details,metadata,organization_id}'
  ));
  tied_id uuid := (
    select organization_id from public.organization_subscriptions
    where stripe_customer_id = private.stripe_id(p_object -> 'customer')
  );
begin
  -- The customer is what we have tied to the organization ourselves; an id that
  -- travelled with the event must agree with it, unless the subscription is known:
  -- its metadata can be edited at any time.
  if tied_id <> named_id then
    tied_id := (
      select organization_id from private.stripe_subscriptions
      where stripe_subscription_id = p_subscription_id and organization_id = tied_id
    );
  end if;
  if tied_id is not null then
    return private.organization_in_turn(tied_id);
  end if;
  return null;
end;
$$;

comment on function private.organization_of_customer(jsonb, text) is
  'The organization, locked, whose Stripe customer an event''s object names; all null when there is none or when the ids that travelled with it name another, unless its subscription is known to be this one''s.';

create function private.apply_stripe_fact(
  p_organization_id uuid,
  p_event jsonb,
  p_subscription_id text,
  p_answer jsonb
) returns text
language plpgsql
set search_path = ''
as $$
declare
  event_type text := p_event ->> 'type';
  object jsonb := p_event #> '{data,object}';
  created timestamptz := to_timestamp((p_event ->> 'created')::bigint);
  tiebreak text := array_position(array['created', 'updated', 'deleted'], split_part(event_type, '.', 3))
    || ':' || (p_event ->> 'id');
  unknown_to_stripe boolean := coalesce(jsonb_typeof(p_answer -> 'subscription') = 'null', false);
  known private.stripe_subscriptions := (
    select s from private.stripe_subscriptions as s where s.stripe_subscription_id = p_subscription_id
  );
  said private.stripe_subscriptions;
  verdict text;
begin
  if known.organization_id <> p_organization_id then
    return 'other_organization';
  elsif (p_answer ->> 'version')::bigint <> coalesce(known.version, 0) then
    return 'ask';
  end if;

  if p_answer is not null and not unknown_to_stripe then
    said := private.read_subscription(p_answer -> 'subscription');
    said.first_payment := private.first_payment_of(p_answer -> 'subscription');
    said.watermark := greatest(created, to_timestamp((p_answer ->> 'readAt')::bigint));
    said.watermark_asked := true;
    verdict := 'newer';
  elsif event_type like 'customer.subscription.%' then
    said := private.read_subscription(object);
    said.first_payment := case when said.status = 'trialing' then 'paid'
      when unknown_to_stripe then 'assumed' else 'unknown' end;
    said.watermark := created;
    said.watermark_asked := false;
    verdict := case when said.plan is null then 'no_seats_sold'
      else private.judge_subscription_event(known, said, created, tiebreak, unknown_to_stripe) end;
  else
    verdict := private.judge_payment_event(known, event_type, object, unknown_to_stripe);
    if verdict in ('paid', 'awaited') then
      perform private.record_first_payment(p_organization_id, p_subscription_id, verdict);
      return 'newer';
    end if;
    return verdict;
  end if;

  if said.plan is null then
    return 'no_seats_sold';
  elsif verdict = 'newer' then
    said.organization_id := p_organization_id;
    said.watermark_tiebreak := coalesce(tiebreak, '');
    said.version := 1;
    said.first_payment := private.later_first_payment(known.first_payment, said.first_payment);
    if private.same_subscription(known, said) and known.first_payment = said.first_payment then
      -- Only the time at which it was said is new: nothing follows from that.
      update private.stripe_subscriptions
      set watermark = greatest(watermark, said.watermark), watermark_asked = said.watermark_asked,
          watermark_tiebreak = said.watermark_tiebreak, version = version + 1
      where stripe_subscription_id = p_subscription_id;
      return 'same';
    end if;
    perform private.record_subscription(said);
  end if;
  return verdict;
end;
$$;

comment on function private.apply_stripe_fact(uuid, jsonb, text, jsonb) is
  'Writes what one event of Stripe''s says of a subscription. Returns newer, same, stale, ask, or why it is none of ours: other_organization, no_seats_sold.';

create function public.apply_stripe_event(p_event jsonb, p_answer jsonb default null) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  this_event_id text := p_event ->> 'id';
  event_type text := p_event ->> 'type';
  object jsonb := p_event #> '{data,object}';
  subscription_id text := case
    when event_type like 'customer.subscription.%' then object ->> 'id'
    when event_type like 'checkout.session.%' then private.stripe_id(object -> 'subscription')
    when event_type like 'invoice.%' then private.stripe_id(
      -- As it was called before 2025-03-31 (Stripe: API changelog).
      coalesce(object #> '{parent,subscription_details,subscription}', object -> 'subscription'))
  end;
  before public.organizations;
  verdict text := 'same';
begin
  if event_type not in (
    'checkout.session.completed', 'checkout.session.async_payment_succeeded',
    'checkout.session.async_payment_failed', 'checkout.session.expired',
    'customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted',
    'customer.subscription.pending_update_applied', 'customer.subscription.pending_update_expired',
    'invoice.paid', 'invoice.payment_failed'
  ) then
    return jsonb_build_object('outcome', 'ignored', 'reason', 'unhandled_type');
  elsif not private.record_webhook_event(
    'stripe', this_event_id, event_type, to_timestamp((p_event ->> 'created')::bigint)
  ) then
    return jsonb_build_object('outcome', 'duplicate');
  end if;

  before := private.organization_of_customer(object, subscription_id);
  if before.id is null then
    verdict := 'unknown_customer';
  else
    if subscription_id is not null then
      verdict := private.apply_stripe_fact(before.id, p_event, subscription_id, p_answer);
    end if;
    if verdict = 'ask' then
      delete from private.webhook_events where provider = 'stripe' and event_id = this_event_id;
      return jsonb_build_object('outcome', 'ask_stripe', 'subscriptionId', subscription_id, 'version', coalesce(
        (select version from private.stripe_subscriptions where stripe_subscription_id = subscription_id), 0));
    end if;
    if event_type like 'checkout.session.%' then
      perform private.settle_checkout(before.id, object, event_type);
    end if;
    if verdict = 'newer' then
      perform private.set_cause('stripe', this_event_id);
      perform private.take_in_subscription(before.id, subscription_id);
    end if;
  end if;
  return private.stripe_outcome(this_event_id, before, verdict);
end;
$$;

comment on function public.apply_stripe_event(jsonb, jsonb) is
  'Takes in one verified event of Stripe''s. Returns { outcome: applied | duplicate | stale | ignored | ask_stripe, reason, organizationId, seatLimit, seatsUsed, pushLimit: whether Clerk has to be told the limit, alert }. On ask_stripe nothing is written: fetch the subscription subscriptionId with its latest invoice expanded and call again with p_answer = { version: as returned, readAt: Stripe''s time in seconds, subscription: the object, or null when Stripe does not know it }. Definer: the tables take no direct writes.';

create function private.stripe_outcome(p_event_id text, p_before public.organizations, p_verdict text) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  after public.organizations := p_before;
  alert text;
  outcome text := case
    when p_verdict in ('newer', 'same') then 'applied'
    when p_verdict = 'stale' then 'stale'
    else 'ignored'
  end;
begin
  if p_verdict = 'newer' then
    after := (select o from public.organizations as o where o.id = p_before.id);
    alert := case
      when after.over_capacity and not p_before.over_capacity then 'over_capacity'
      when (
        select count(*) > 1 from private.stripe_subscriptions as known
        where known.organization_id = after.id and private.seats_of(known) > 0
      ) then 'several_subscriptions'
    end;
  elsif outcome <> 'applied' then
    update private.webhook_events set outcome = p_verdict where provider = 'stripe' and event_id = p_event_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'outcome', outcome,
    'reason', case when outcome = 'ignored' then p_verdict end,
    'organizationId', after.id,
    'seatLimit', after.seat_limit,
    'seatsUsed', after.seats_used,
    'pushLimit', nullif(private.limit_push_due(after), false),
    'alert', alert
  ));
end;
$$;

comment on function private.stripe_outcome(text, public.organizations, text) is
  'Notes in the ledger why an event was not applied and says how the organization stands now.';
