-- Agreement with Clerk and Stripe: under the lock, what differs and has not changed
-- since the lease began is put right.

create function private.reconcile_changes(
  p_organization_id uuid,
  p_started_at timestamptz,
  p_fenced_change_id uuid
) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  found_drift jsonb := '[]';
  known private.stripe_subscriptions;
  before public.seat_changes;
  after public.seat_changes;
begin
  for before in
    select * from public.seat_changes
    where organization_id = p_organization_id and kind <> 'checkout' and updated_at < p_started_at
      and state in ('open', 'awaiting_payment', 'stuck', 'scheduled')
    order by created_at
  loop
    select * into known from private.stripe_subscriptions where stripe_subscription_id = before.stripe_subscription_id;
    perform private.settle_changes(known);
    -- Fenced, and still open after what Stripe shows: it never heard of it, and
    -- takes it from nobody any more. Without the fence it may be at work on it.
    update public.seat_changes set state = 'failed', error = 'never_reached_stripe'
    where id = before.id and state in ('open', 'stuck') and id = p_fenced_change_id;
    select * into after from public.seat_changes where id = before.id;
    if after.state <> before.state then
      found_drift := found_drift || private.drift('seat_change', after.id::text, before.state, after.state);
    end if;
  end loop;
  return found_drift;
end;
$$;

comment on function private.reconcile_changes(uuid, timestamptz, uuid) is
  'Settles the changes that were left under way, by the subscriptions as Stripe has just shown them; returns which. p_fenced_change_id: the one that Stripe had ended, or would refuse from then on, when it showed them.';

create function private.reconcile_subscriptions(
  p_organization_id uuid,
  p_subscriptions jsonb,
  p_read_at timestamptz,
  p_started_at timestamptz,
  p_fenced_change_id uuid
) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  found_drift jsonb := '[]';
  before public.organization_subscriptions;
  after public.organization_subscriptions;
  known private.stripe_subscriptions;
  said private.stripe_subscriptions;
  listed jsonb;
begin
  select * into before from public.organization_subscriptions where organization_id = p_organization_id;
  for listed in select subscription from jsonb_array_elements(p_subscriptions) as l (subscription) loop
    said := private.read_subscription(listed);
    continue when said.plan is null;
    select * into known from private.stripe_subscriptions where stripe_subscription_id = said.stripe_subscription_id;
    said.first_payment := private.later_first_payment(known.first_payment, private.first_payment_of(listed));
    continue when private.same_subscription(known, said) and known.first_payment = said.first_payment;
    said.organization_id := p_organization_id;
    said.watermark := p_read_at;
    said.watermark_asked := true;
    said.watermark_tiebreak := '';
    said.version := 1;
    perform private.record_subscription(said);
    update public.seat_changes set state = 'completed'
    where organization_id = p_organization_id and state in ('open', 'superseded', 'awaiting_payment')
      and id = private.to_uuid(listed #>> '{metadata,seat_change_id}') and said.first_payment in ('paid', 'assumed');
    -- A payment that changes no seats is noted, and is no drift.
    continue when private.same_subscription(known, said) and private.seats_of(known) = private.seats_of(said);
    found_drift := found_drift || private.drift('subscription', said.stripe_subscription_id,
      coalesce(known.status || ' ' || private.seats_of(known), 'unknown'),
      said.status || ' ' || private.seats_of(said));
  end loop;

  -- Of a customer's subscriptions Stripe lists all, ended ones too.
  for known in
    update private.stripe_subscriptions
    set status = 'canceled', quantity = 0, version = version + 1
    where organization_id = p_organization_id and status in ('active', 'trialing', 'past_due')
      and stripe_subscription_id not in (
        select subscription ->> 'id' from jsonb_array_elements(p_subscriptions) as l (subscription)
      )
    returning *
  loop
    found_drift := found_drift || private.drift('subscription', known.stripe_subscription_id, 'alive', 'unknown to Stripe');
  end loop;

  found_drift := found_drift || private.reconcile_changes(p_organization_id, p_started_at, p_fenced_change_id);
  update public.seat_changes as c
  set payment_url = subscription #>> '{latest_invoice,hosted_invoice_url}'
  from jsonb_array_elements(p_subscriptions) as l (subscription)
  where c.organization_id = p_organization_id and c.stripe_subscription_id = subscription ->> 'id'
    and c.state = 'awaiting_payment' and c.payment_url is null;
  perform private.choose_subscription(p_organization_id);
  select * into after from public.organization_subscriptions where organization_id = p_organization_id;
  if found_drift = '[]' and before is distinct from after then
    found_drift := private.drift('seats', after.stripe_seat_subscription_id,
      before.purchased_seats::text, after.purchased_seats::text);
  end if;
  return found_drift;
end;
$$;

comment on function private.reconcile_subscriptions(uuid, jsonb, timestamptz, timestamptz, uuid) is
  'Takes in all of a customer''s subscriptions as Stripe lists them, latest invoices expanded; returns what had drifted.';

create function private.reconcile_settings(
  p_organization public.organizations,
  p_shown jsonb,
  p_started_at timestamptz
) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  found_drift jsonb := '[]';
  their_name text := left(coalesce(p_shown ->> 'name', ''), 256);
  their_slug text := left(p_shown ->> 'slug', 256);
begin
  -- The microsecond is what an update has over the creation of the same moment.
  if p_organization.clerk_updated_at <= (p_shown ->> 'updatedAt')::timestamptz + interval '1 microsecond'
    and (p_organization.name, p_organization.slug) is distinct from (their_name, their_slug) then
    update public.organizations
    set name = their_name, slug = their_slug,
        clerk_updated_at = greatest(clerk_updated_at, (p_shown ->> 'updatedAt')::timestamptz)
    where id = p_organization.id;
    found_drift := private.drift('organization_name', p_organization.clerk_org_id,
      concat_ws(' ', p_organization.name, p_organization.slug), concat_ws(' ', their_name, their_slug));
  end if;
  if p_organization.updated_at < p_started_at
    and p_organization.clerk_limit_pushed <> (p_shown ->> 'limit')::integer then
    update public.organizations set clerk_limit_pushed = null where id = p_organization.id;
    found_drift := found_drift || private.drift('clerk_limit', p_organization.clerk_org_id,
      p_shown ->> 'limit', p_organization.clerk_limit_pushed::text);
  end if;
  return found_drift;
end;
$$;

comment on function private.reconcile_settings(public.organizations, jsonb, timestamptz) is
  'Makes name and slug of an organization, as it was before the sync, those that Clerk shows: { name, slug, limit, updatedAt }, and has the limit pushed again where Clerk shows another than it had taken. Returns what had drifted.';

create function private.sync_summary(p_organization_id uuid, p_drift jsonb) returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'organizationId', id,
    'seatsUsed', seats_used,
    'seatsTotal', seat_limit,
    'memberCount', members_count,
    'pendingInvitationsCount', pending_invitations_count,
    'overCapacity', over_capacity,
    'pushLimit', deleted_at is null and clerk_limit_pushed is distinct from clerk_limit,
    'drift', p_drift
  )
  from public.organizations
  where id = p_organization_id;
$$;

comment on function private.sync_summary(uuid, jsonb) is 'How an organization stands after a sync, and what had drifted.';

create function public.reconcile_organization(p_lease jsonb, p_clerk jsonb, p_stripe jsonb, p_actor text)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  lease public.sync_lease := jsonb_populate_record(null::public.sync_lease, p_lease);
  organization public.organizations := private.lock_organization(lease.organization_id);
  counted public.organizations;
  found_drift jsonb := '[]';
begin
  perform private.set_cause(p_actor, 'reconcile_organization');
  update private.organization_syncs set lease_id = null, leased_until = '-infinity'
  where organization_id = organization.id and lease_id = lease.lease_id;
  if not found then
    perform private.refuse(409, 'lease_lost', 'Another worker has taken the organization over.');
  end if;

  if (p_clerk ->> 'deleted')::boolean then
    perform private.end_organization(organization.id, clock_timestamp());
    return private.sync_summary(organization.id,
      private.drift('organization_deleted', organization.clerk_org_id, 'living', 'deleted'));
  end if;

  -- First our own numbers: the triggers below add to them.
  perform public.sync_organization_counts(organization.id);
  select * into counted from public.organizations where id = organization.id;
  if (organization.members_count, organization.pending_invitations_count)
    <> (counted.members_count, counted.pending_invitations_count) then
    found_drift := private.drift('counts', organization.id::text,
      organization.members_count || ' + ' || organization.pending_invitations_count,
      counted.members_count || ' + ' || counted.pending_invitations_count);
  end if;
  if organization.seat_limit <> counted.seat_limit then
    found_drift := found_drift || private.drift('seat_limit', organization.id::text,
      organization.seat_limit::text, counted.seat_limit::text);
  end if;
  perform private.expire_invitations(organization.id);
  if p_clerk ? 'memberships' then
    -- Invitations first: a member who is added takes the seat over from an
    -- invitation, which would then look as if it had changed meanwhile.
    found_drift := found_drift
      || private.reconcile_invitations(
        organization, p_clerk -> 'invitations', p_clerk -> 'memberships', lease.started_at
      )
      || private.reconcile_memberships(organization, p_clerk -> 'memberships', lease.started_at);
  end if;
  if jsonb_typeof(p_clerk -> 'organization') = 'object' then
    found_drift := found_drift || private.reconcile_settings(organization, p_clerk -> 'organization', lease.started_at);
  end if;
  if p_stripe ? 'subscriptions' and private.subscription_version(organization.id) = lease.subscription_version then
    found_drift := found_drift || private.reconcile_subscriptions(
      organization.id, p_stripe -> 'subscriptions', to_timestamp((p_stripe ->> 'readAt')::bigint), lease.started_at,
      private.to_uuid(p_stripe ->> 'fencedChangeId')
    );
  end if;
  update public.organizations set last_synced_at = clock_timestamp() where id = organization.id;
  return private.sync_summary(organization.id, found_drift);
end;
$$;

comment on function public.reconcile_organization(jsonb, jsonb, jsonb, text) is
  'Puts right what differs from Clerk and Stripe and has not changed since the lease began. p_lease: a sync_lease. p_clerk: { deleted: true }, or { memberships, invitations, organization: { name, slug, limit, updatedAt } or null } with complete lists, or null to leave Clerk aside. p_stripe: { readAt: seconds, subscriptions: every one of the customer, latest invoices expanded, fencedChangeId: the lease''s open change if its key was fenced before they were read, else null }, or null without a customer. Returns { organizationId, seatsUsed, seatsTotal, memberCount, pendingInvitationsCount, overCapacity, pushLimit: whether Clerk has to be told the limit, drift: [{ kind, id, was, is }] }. Definer: the tables take no direct writes. Raises lease_lost (409).';
