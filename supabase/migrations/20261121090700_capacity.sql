-- Where the limit is decided. check_organization_capacity() is the rule;
-- private.require_seats() is the rule under the lock, for every command that
-- takes seats.

create function public.check_organization_capacity(p_organization_id uuid)
returns table (can_add boolean, current_members integer, seat_limit integer, remaining_seats integer)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select
    o.status = 'approved' and o.deleted_at is null
      and coalesce(s.grace_until > now(), true)
      and least(o.seat_limit, s.renewal_seats) - o.seats_used >= 1,
    o.members_count,
    o.seat_limit,
    least(o.seat_limit, s.renewal_seats) - o.seats_used
  from public.organizations as o
  left join public.organization_subscriptions as s on s.organization_id = o.id
  where o.id = p_organization_id;
end;
$$;

comment on function public.check_organization_capacity(uuid) is
  'Whether one more seat can be taken now. remaining_seats is what is available: least(seat_limit, renewal seats) - seats used, below zero after a fact took the organization past its limit. No row for an organization that the caller may not see.';

create function public.check_seat_availability(p_organization_id uuid)
returns table (has_seats boolean, current_members integer, purchased_seats integer, remaining_seats integer)
language sql
stable
set search_path = ''
as $$
  select c.can_add, c.current_members, c.seat_limit, c.remaining_seats
  from public.check_organization_capacity(p_organization_id) as c;
$$;

comment on function public.check_seat_availability(uuid) is
  'check_organization_capacity() in the words of billing: the seat limit is the purchased seats.';

create function private.organization_in_turn(p_organization_id uuid) returns public.organizations
language plpgsql
set search_path = ''
as $$
begin
  -- A queue before the row. Whenever a row has been written, everybody who waits for
  -- it is woken, looks, and waits for its new version; here the next one is woken.
  perform pg_advisory_xact_lock(hashtextextended(p_organization_id::text, 0));
  -- No key update: it waits for its like, and not for the foreign keys' key share.
  return (select o from public.organizations as o where o.id = p_organization_id for no key update);
end;
$$;

comment on function private.organization_in_turn(uuid) is
  'The one lock that decides: an organization, locked until the transaction ends; null when there is none. Every function that writes for an organization begins with it: one that had written already, and only then waited for its turn, could wait for somebody who waits for its row.';

create function private.lock_organization(p_organization_id uuid) returns public.organizations
language plpgsql
set search_path = ''
as $$
declare
  organization public.organizations := private.organization_in_turn(p_organization_id);
begin
  if organization.id is null then
    perform private.refuse(404, 'organization_not_found', 'There is no such organization.');
  end if;
  return organization;
end;
$$;

comment on function private.lock_organization(uuid) is
  'private.organization_in_turn() of one that there is: buying, taking and freeing seats begin with it. Raises organization_not_found (404).';

create function private.expire_invitations(p_organization_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  -- An update that meets no row has its triggers called all the same.
  if exists (
    select from public.organization_invitations
    where organization_id = p_organization_id and status = 'pending' and expires_at <= clock_timestamp()
  ) then
    update public.organization_invitations set status = 'expired'
    where organization_id = p_organization_id and status = 'pending' and expires_at <= clock_timestamp();
  end if;
end;
$$;

comment on function private.expire_invitations(uuid) is
  'Ends the invitations whose time is over. Clerk sends no event for it (Clerk: organization invitations).';

create function private.require_approved(p_organization public.organizations) returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_organization.deleted_at is not null then
    perform private.refuse(404, 'organization_not_found', 'There is no such organization.');
  elsif p_organization.status = 'pending' then
    perform private.refuse(403, 'organization_not_approved', 'The organization has not been approved yet.');
  elsif p_organization.status = 'suspended' then
    perform private.refuse(403, 'organization_suspended', 'The organization is suspended.');
  end if;
end;
$$;

comment on function private.require_approved(public.organizations) is
  'Raises organization_not_found (404), organization_not_approved (403) or organization_suspended (403).';

create function private.hold_time() returns interval
language sql
immutable
set search_path = ''
as $$
  select interval '30 seconds';
$$;

comment on function private.hold_time() is
  'How long a command may ask Clerk about a seat that it holds. A worker that takes longer holds it anew.';

create function private.require_open(p_organization public.organizations) returns void
language plpgsql
set search_path = ''
as $$
declare
  overdue_since timestamptz;
begin
  perform private.require_approved(p_organization);
  select grace_until into overdue_since from public.organization_subscriptions
  where organization_id = p_organization.id and grace_until <= now();
  if found then
    perform private.refuse(409, 'payment_overdue', 'Nobody can be added until the open invoice is paid.',
      jsonb_build_object('graceUntil', overdue_since));
  end if;
end;
$$;

comment on function private.require_open(public.organizations) is
  'Whether anybody may be added at all, room aside. Raises payment_overdue (409) and what private.require_approved() raises.';

create function private.cost_of_seats(p_plan text, p_billing_period text, p_seats integer) returns bigint
language sql
stable
set search_path = ''
as $$
  select price.base_amount + price.seat_amount::bigint * greatest(0, p_seats - plan.included_seats)
  from public.plan_prices as price
  join public.plans as plan on plan.id = price.plan
  where (price.plan, price.billing_period) = (p_plan, p_billing_period);
$$;

comment on function private.cost_of_seats(text, text, integer) is
  'What seats cost for a billing period, in the currency''s smallest unit; null for an unknown price.';

create function private.cost_of_more(p_organization_id uuid, p_more integer) returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'seats', p_more,
    'plan', fitting.id,
    'billingPeriod', s.seat_billing_period,
    'amount', private.cost_of_seats(fitting.id, s.seat_billing_period, s.renewal_seats + p_more)
      - private.cost_of_seats(s.plan, s.seat_billing_period, s.renewal_seats),
    'currency', price.currency
  )
  from public.organization_subscriptions as s
  join public.plans as current on current.id = s.plan
  join public.plans as fitting
    on s.renewal_seats + p_more between fitting.min_seats and fitting.max_seats and fitting.rank >= current.rank
  join public.plan_prices as price on (price.plan, price.billing_period) = (fitting.id, s.seat_billing_period)
  where s.organization_id = p_organization_id
  order by fitting.rank
  limit 1;
$$;

comment on function private.cost_of_more(uuid, integer) is
  'What so many more seats would add to each invoice: { seats, plan: the one they fit in, billingPeriod, amount in the smallest unit, currency }; null without a subscription or when no plan has so many.';

create function private.refuse_full(p_organization_id uuid, p_seats integer) returns void
language plpgsql
set search_path = ''
as $$
declare
  capacity record;
begin
  select * into capacity from public.check_organization_capacity(p_organization_id);
  perform private.refuse(409, 'seats_full', 'All seats are taken.', jsonb_build_object(
    'seatLimit', capacity.seat_limit,
    'seatsUsed', (select seats_used from public.organizations where id = p_organization_id),
    'available', capacity.remaining_seats,
    'needed', p_seats,
    'missing', p_seats - capacity.remaining_seats,
    'cost', private.cost_of_more(p_organization_id, p_seats - capacity.remaining_seats)
  ));
end;
$$;

comment on function private.refuse_full(uuid, integer) is
  'Raises seats_full (409): what there is, how many seats were needed, how many are missing and what they would cost.';

create function private.require_seats(p_organization_id uuid, p_seats integer) returns void
language plpgsql
set search_path = ''
as $$
declare
  organization public.organizations := private.lock_organization(p_organization_id);
  capacity record;
begin
  perform private.require_open(organization);
  perform private.expire_invitations(p_organization_id);
  select * into capacity from public.check_organization_capacity(p_organization_id);
  if capacity.remaining_seats < p_seats then
    perform private.refuse_full(p_organization_id, p_seats);
  end if;
end;
$$;

comment on function private.require_seats(uuid, integer) is
  'Commands that take seats call this: locks the organization until the transaction ends, then applies check_organization_capacity(). Raises seats_full (409) and what private.require_open() raises.';

create function public.set_organization_status(p_organization_id uuid, p_status text, p_actor text) returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform private.set_cause(p_actor, 'set_organization_status');
  perform private.lock_organization(p_organization_id);
  update public.organizations set status = p_status where id = p_organization_id;
end;
$$;

comment on function public.set_organization_status(uuid, text, text) is
  'Approves or suspends an organization: pending, approved or suspended. Definer: the tables take no direct writes. Raises organization_not_found (404).';
