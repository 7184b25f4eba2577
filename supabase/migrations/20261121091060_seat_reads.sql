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
