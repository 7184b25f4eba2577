-- The first purchase. What may be bought is decided here, under the lock, and the
-- intent is durable before Stripe is called.

create function private.require_plan(p_plan text, p_billing_period text, p_seats integer) returns public.plan_prices
language plpgsql
stable
set search_path = ''
as $$
declare
  chosen public.plans;
  price public.plan_prices;
begin
  select * into chosen from public.plans where id = p_plan;
  if not found then
    perform private.refuse(400, 'unknown_plan', 'There is no such plan.', jsonb_build_object(
      'plan', p_plan, 'plans', (select jsonb_agg(id order by rank) from public.plans)));
  end if;
  select * into price from public.plan_prices where plan = p_plan and billing_period = p_billing_period;
  if not found then
    perform private.refuse(400, 'unknown_billing_period', 'The plan is not sold for this billing period.',
      jsonb_build_object('billingPeriod', p_billing_period, 'billingPeriods', (
        select jsonb_agg(billing_period order by billing_period) from public.plan_prices where plan = p_plan
      )));
  end if;
  if p_seats is null or p_seats not between chosen.min_seats and chosen.max_seats then
    perform private.refuse(422, 'seats_out_of_bounds', 'The plan does not sell this number of seats.',
      jsonb_build_object(
        'plan', p_plan, 'seats', p_seats, 'minSeats', chosen.min_seats, 'maxSeats', chosen.max_seats,
        'fittingPlan', (
          select id from public.plans where p_seats between min_seats and max_seats order by rank limit 1
        )
      ));
  end if;
  return price;
end;
$$;

comment on function private.require_plan(text, text, integer) is
  'The price of a plan for this many seats. Raises unknown_plan (400), unknown_billing_period (400), seats_out_of_bounds (422, with the plan that fits).';

create function private.require_organization_of(p_organization_id uuid, p_clerk_org_id text)
returns public.organizations
language plpgsql
set search_path = ''
as $$
declare
  organization public.organizations := private.organization_in_turn(p_organization_id);
begin
  -- Unknown and foreign are answered alike: the ids of others stay unknown.
  if organization.id is null or organization.clerk_org_id is distinct from p_clerk_org_id then
    perform private.refuse(403, 'not_organization_admin', 'You are not an admin of this organization.');
  end if;
  return organization;
end;
$$;

comment on function private.require_organization_of(uuid, text) is
  'The organization, locked, if it is the one that the caller''s Clerk token is for. Raises not_organization_admin (403).';

create function public.start_checkout(
  p_organization_id uuid,
  p_clerk_org_id text,
  p_plan text,
  p_billing_period text,
  p_seats integer,
  p_success_url text,
  p_cancel_url text,
  p_actor text
) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
  price public.plan_prices;
  subscription public.organization_subscriptions;
  change public.seat_changes;
begin
  perform private.set_cause(p_actor, 'start_checkout');
  perform private.require_approved(organization);
  price := private.require_plan(p_plan, p_billing_period, p_seats);

  select * into subscription from public.organization_subscriptions where organization_id = p_organization_id;
  if subscription.status not in ('none', 'canceled', 'incomplete_expired') then
    perform private.refuse(409, 'subscription_exists',
      'The organization has a subscription already: change that one.',
      jsonb_build_object('status', subscription.status, 'plan', subscription.plan,
        'purchasedSeats', subscription.purchased_seats, 'changeWith', 'manage-seats'));
  end if;

  perform private.expire_invitations(p_organization_id);
  select * into organization from public.organizations where id = p_organization_id;
  if p_seats < organization.seats_used then
    perform private.refuse(409, 'seats_below_usage', 'More seats than that are in use.',
      jsonb_build_object('seats', p_seats, 'seatsUsed', organization.seats_used));
  end if;

  update public.seat_changes set state = 'expired'
  where organization_id = p_organization_id and state = 'open' and expires_at <= clock_timestamp();
  -- The same wish again is the same intent, so two clicks end in one session; a
  -- different one takes the place of the last, so that only one can be paid.
  update public.seat_changes set state = 'superseded'
  where organization_id = p_organization_id and state = 'open'
    and (plan, billing_period, seats, success_url, cancel_url)
      <> (p_plan, p_billing_period, p_seats, p_success_url, p_cancel_url);
  insert into public.seat_changes (
    organization_id, kind, plan, billing_period, seats, success_url, cancel_url, actor, expires_at
  ) values (
    p_organization_id, 'checkout', p_plan, p_billing_period, p_seats, p_success_url, p_cancel_url, p_actor,
    -- Within the 24 hours that Stripe keeps an idempotency key and a session.
    date_trunc('second', clock_timestamp()) + interval '23 hours'
  )
  on conflict (organization_id) where state = 'open' do nothing;
  select * into change from public.seat_changes where organization_id = p_organization_id and state = 'open';

  return jsonb_build_object(
    'seatChangeId', change.id,
    'expiresAt', extract(epoch from change.expires_at)::bigint,
    'lookupKey', price.lookup_key,
    'stripeCustomerId', subscription.stripe_customer_id,
    'organizationName', organization.name
  );
end;
$$;

comment on function public.start_checkout(uuid, text, text, text, integer, text, text, text) is
  'Decides whether an organization may buy its first seats and records the intent. Returns { seatChangeId: Stripe''s idempotency key, expiresAt: seconds since 1970, lookupKey, stripeCustomerId or null, organizationName }. Definer: the tables take no direct writes. Raises not_organization_admin (403), subscription_exists (409), seats_below_usage (409) and what private.require_approved() and private.require_plan() raise.';

create function public.attach_stripe_customer(
  p_organization_id uuid,
  p_stripe_customer_id text,
  p_actor text,
  p_deleted_customer_id text default null
) returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  customer_id text;
begin
  perform private.set_cause(p_actor, 'attach_stripe_customer');
  perform private.lock_organization(p_organization_id);
  insert into public.organization_subscriptions as current (organization_id, stripe_customer_id)
  values (p_organization_id, p_stripe_customer_id)
  on conflict (organization_id) do update set stripe_customer_id = p_stripe_customer_id
  where current.stripe_customer_id is null or current.stripe_customer_id = p_deleted_customer_id;
  select stripe_customer_id into customer_id
  from public.organization_subscriptions where organization_id = p_organization_id;
  return customer_id;
end;
$$;

comment on function public.attach_stripe_customer(uuid, text, text, text) is
  'Ties a Stripe customer to an organization that has none, or has p_deleted_customer_id, which Stripe says is deleted, and returns the one it has: the first wins. Definer: the tables take no direct writes. Raises organization_not_found (404).';

create function public.attach_checkout_session(p_seat_change_id uuid, p_stripe_checkout_session_id text)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  change public.seat_changes;
begin
  update public.seat_changes set stripe_checkout_session_id = p_stripe_checkout_session_id
  where id = p_seat_change_id
  returning * into change;
  return change.state;
end;
$$;

comment on function public.attach_checkout_session(uuid, text) is
  'Notes which Checkout Session an intent led to and returns the intent''s state: superseded means that the session must be expired. Definer: the tables take no direct writes.';

create function public.abandon_checkout(p_seat_change_id uuid) returns void
language sql
security definer
set search_path = ''
as $$
  update public.seat_changes set state = 'superseded' where id = p_seat_change_id and state = 'open';
$$;

comment on function public.abandon_checkout(uuid) is
  'Ends an intent that Stripe has answered with an error, since its idempotency key would bring the same error for a day (Stripe: idempotent requests): the next click begins another. Definer: the tables take no direct writes.';
