-- Agreement with Clerk and Stripe: take a lease, look outside without holding a
-- lock, then put right under the lock what differs and has not changed since.

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

create function private.drift(p_kind text, p_id text, p_was text, p_is text) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_build_array(jsonb_build_object('kind', p_kind, 'id', p_id, 'was', p_was, 'is', p_is));
$$;

comment on function private.drift(text, text, text, text) is 'One difference that was found, as a list of one.';

create function private.prepare_move(p_organization_id uuid, p_from_id uuid) returns void
language sql
set search_path = ''
as $$
  select public.sync_organization_counts(id) from public.organizations
  where id = p_from_id and id <> p_organization_id;
$$;

comment on function private.prepare_move(uuid, uuid) is
  'Locks the organization that a row has got into by mistake, before the row as a sync of that one does, and counts it, since the row is to be counted out of it.';

create function private.end_unlisted_invitations(
  p_organization_id uuid,
  p_invitations jsonb,
  p_memberships jsonb,
  p_started_at timestamptz
) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  found_drift jsonb;
begin
  -- Each list is read once, into a hash: asked for "in", and not for "exists",
  -- Postgres makes one whatever it thinks of the sizes.
  with unlisted as (
    select i.id, i.status,
      case
        when i.email in (
          select private.normalize_email(listed.email) from jsonb_to_recordset(p_memberships) as listed (email text)
        ) or i.clerk_user_id in (
          select listed."userId" from jsonb_to_recordset(p_memberships) as listed ("userId" text)
        ) then 'joined'
        else 'revoked'
      end as next_status
    from public.organization_invitations as i
    where i.organization_id = p_organization_id and i.updated_at < p_started_at
      and (i.status = 'pending'
        or i.status = 'reserved' and i.held_until <= p_started_at
        or i.status = 'accepted' and i.updated_at < p_started_at - private.settling_time())
      and case
        when i.clerk_invitation_id is not null then i.clerk_invitation_id in (
          select listed.id from jsonb_to_recordset(p_invitations) as listed (id text)
        )
        -- What is known is the old one that was to be sent again, and not this.
        else i.email in (
          select private.normalize_email(listed.email)
          from jsonb_to_recordset(p_invitations) as listed (id text, email text)
          where not exists (
            select from public.organization_invitations as known where known.clerk_invitation_id = listed.id
          )
        )
      end is not true
  ), ended as (
    update public.organization_invitations as i set status = u.next_status, held_until = null
    from unlisted as u
    where i.id = u.id
    returning u.status as was, coalesce(i.clerk_invitation_id, i.id::text) as id, i.status
  )
  select coalesce(jsonb_agg(private.drift(
    case was when 'reserved' then 'reservation_released' else 'invitation_ended' end, id, was, status
  ) -> 0), '[]') into found_drift
  from ended;
  return found_drift;
end;
$$;

comment on function private.end_unlisted_invitations(uuid, jsonb, jsonb, timestamptz) is
  'Ends our invitations that Clerk does not list as pending; returns which.';

create function private.add_unknown_invitations(p_organization public.organizations, p_invitations jsonb)
returns jsonb
language sql
set search_path = ''
as $$
  with unknown as (
    select distinct on (address.email)
      listed.id, address.email, coalesce(listed.role, 'org:member') as role, listed."expiresAt" as expires_at,
      listed."createdAt" as made_at, listed."updatedAt" as said_at
    from jsonb_to_recordset(p_invitations) as listed (
      id text, email text, role text, "createdAt" timestamptz, "updatedAt" timestamptz, "expiresAt" timestamptz
    )
    cross join lateral (select private.normalize_email(listed.email) as email) as address
    where p_organization.deleted_at is null and listed."expiresAt" > clock_timestamp()
      and not exists (
        select from public.organization_invitations as known where known.clerk_invitation_id = listed.id
      )
      and not exists (
        select from public.organization_invitations as known
        where known.organization_id = p_organization.id and known.email = address.email
      )
    order by address.email, listed."createdAt" desc
  ), added as (
    insert into public.organization_invitations (
      organization_id, clerk_invitation_id, email, role, status, expires_at, clerk_created_at, clerk_updated_at
    )
    select p_organization.id, id, email, role, 'pending', expires_at, made_at, said_at from unknown
    returning clerk_invitation_id
  )
  select coalesce(jsonb_agg(private.drift('invitation_missing', clerk_invitation_id, null, 'pending') -> 0), '[]')
  from added;
$$;

comment on function private.add_unknown_invitations(public.organizations, jsonb) is
  'Adds the listed invitations of whose addresses the organization has never heard, in one statement: there may be thousands. Returns which.';

create function private.reconcile_invitations(
  p_organization public.organizations,
  p_invitations jsonb,
  p_memberships jsonb,
  p_started_at timestamptz
) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  found_drift jsonb := private.end_unlisted_invitations(
    p_organization.id, p_invitations, p_memberships, p_started_at
  ) || private.add_unknown_invitations(p_organization, p_invitations);
  ours public.organization_invitations;
  theirs jsonb;
begin
  for theirs in
    select invitation from jsonb_array_elements(p_invitations) as listed (invitation)
    where (invitation ->> 'expiresAt')::timestamptz > clock_timestamp()
      and not exists (
        select from public.organization_invitations as i
        where i.clerk_invitation_id = invitation ->> 'id'
          and i.organization_id = p_organization.id
          and (i.updated_at >= p_started_at
            or (i.status, i.email, i.role, i.expires_at) = (
              'pending', private.normalize_email(invitation ->> 'email'), invitation ->> 'role',
              (invitation ->> 'expiresAt')::timestamptz
            ))
      )
  loop
    -- Clerk invites nobody twice at once: what it lists is what was reserved.
    update public.organization_invitations set clerk_invitation_id = theirs ->> 'id'
    where organization_id = p_organization.id and email = private.normalize_email(theirs ->> 'email')
      and status = 'reserved'
      and not exists (select from public.organization_invitations where clerk_invitation_id = theirs ->> 'id');
    select * into ours from public.organization_invitations where clerk_invitation_id = theirs ->> 'id';
    perform private.prepare_move(p_organization.id, ours.organization_id);
    -- Only here may a state go back: Clerk's list is the truth, an event is not.
    update public.organization_invitations
    set organization_id = p_organization.id, status = 'pending', email = private.normalize_email(theirs ->> 'email'),
        role = theirs ->> 'role', expires_at = (theirs ->> 'expiresAt')::timestamptz
    where id = ours.id;
    perform private.record_invitation(p_organization, theirs, 'pending');
    found_drift := found_drift || case
      when (ours.organization_id, ours.status) = (p_organization.id, 'pending')
        then private.drift('invitation_details', theirs ->> 'id',
          concat_ws(' ', ours.email, ours.role, ours.expires_at),
          concat_ws(' ', theirs ->> 'email', theirs ->> 'role', (theirs ->> 'expiresAt')::timestamptz))
      when ours.status = 'reserved' then private.drift('reservation_adopted', theirs ->> 'id', ours.status, 'pending')
      else private.drift('invitation_missing', theirs ->> 'id', ours.status, 'pending')
    end;
  end loop;
  return found_drift;
end;
$$;

comment on function private.reconcile_invitations(public.organizations, jsonb, jsonb, timestamptz) is
  'Makes our invitations those that Clerk lists as pending; returns what had drifted.';

create function private.end_unlisted_members(
  p_organization_id uuid,
  p_memberships jsonb,
  p_started_at timestamptz
) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  found_drift jsonb;
begin
  with unlisted as (
    select m.id, case when m.clerk_membership_id is null then 'requested' else 'removed' end as next_status
    from public.organization_members as m
    where m.organization_id = p_organization_id and m.status = 'active'
      and m.updated_at < p_started_at and coalesce(m.held_until <= p_started_at, true)
      and case
        when m.clerk_membership_id is not null then m.clerk_membership_id in (
          select listed.id from jsonb_to_recordset(p_memberships) as listed (id text)
        )
        else m.clerk_user_id in (
          select listed."userId" from jsonb_to_recordset(p_memberships) as listed ("userId" text)
        )
      end is not true
  ), ended as (
    -- Whom Clerk never heard of is a request again, and can be approved anew.
    update public.organization_members as m set status = u.next_status, held_until = null
    from unlisted as u
    where m.id = u.id
    returning m.clerk_user_id, m.status
  )
  select coalesce(jsonb_agg(private.drift(
    case status when 'requested' then 'approval_released' else 'member_extra' end, clerk_user_id, 'active', status
  ) -> 0), '[]') into found_drift
  from ended;
  return found_drift;
end;
$$;

comment on function private.end_unlisted_members(uuid, jsonb, timestamptz) is
  'Ends our active members whom Clerk does not list; returns which.';

create function private.add_unknown_members(p_organization public.organizations, p_memberships jsonb)
returns jsonb
language sql
set search_path = ''
as $$
  with unknown as (
    select distinct on (listed."userId")
      listed.id, listed."userId" as user_id, address.email, coalesce(listed.role, 'org:member') as role,
      listed."createdAt" as made_at, listed."updatedAt" as said_at
    from jsonb_to_recordset(p_memberships) as listed (
      id text, "userId" text, email text, role text, "createdAt" timestamptz, "updatedAt" timestamptz
    )
    cross join lateral (select private.normalize_email(listed.email) as email) as address
    where p_organization.deleted_at is null and listed."userId" is not null
      and not exists (select from public.organization_members as known where known.clerk_membership_id = listed.id)
      and not exists (
        select from public.organization_members as known
        where known.organization_id = p_organization.id and known.clerk_user_id = listed."userId"
      )
      -- An acceptance that is waiting for its member is settled with him.
      and not exists (
        select from public.organization_invitations as accepted
        where accepted.organization_id = p_organization.id and accepted.status = 'accepted'
          and (accepted.email = address.email or accepted.clerk_user_id = listed."userId")
      )
    order by listed."userId", listed."createdAt" desc
  ), added as (
    insert into public.organization_members (
      organization_id, clerk_membership_id, clerk_user_id, email, role, status, clerk_created_at, clerk_updated_at
    )
    select p_organization.id, id, user_id, email, role, 'active', made_at, said_at from unknown
    returning clerk_user_id
  )
  select coalesce(jsonb_agg(private.drift('member_missing', clerk_user_id, null, 'active') -> 0), '[]')
  from added;
$$;

comment on function private.add_unknown_members(public.organizations, jsonb) is
  'Adds the listed members of whom the organization has never heard, in one statement: there may be thousands. Returns which.';

create function private.reconcile_memberships(
  p_organization public.organizations,
  p_memberships jsonb,
  p_started_at timestamptz
) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  found_drift jsonb := private.end_unlisted_members(p_organization.id, p_memberships, p_started_at)
    || private.add_unknown_members(p_organization, p_memberships);
  ours public.organization_members;
  theirs jsonb;
begin
  for theirs in
    select membership from jsonb_array_elements(p_memberships) as listed (membership)
    where membership ->> 'userId' is not null and not exists (
      select from public.organization_members as m
      where m.clerk_membership_id = membership ->> 'id'
        and m.organization_id = p_organization.id
        and (m.updated_at >= p_started_at or m.held_until > p_started_at
          or (m.status, m.clerk_user_id, m.role) = ('active', membership ->> 'userId', membership ->> 'role')
            and m.email is not distinct from coalesce(private.normalize_email(membership ->> 'email'), m.email))
    )
  loop
    select * into ours from public.organization_members where clerk_membership_id = theirs ->> 'id';
    perform private.prepare_move(p_organization.id, ours.organization_id);
    -- Clerk has one membership of a person: this one.
    update public.organization_members set status = 'removed'
    where organization_id = p_organization.id and clerk_user_id = theirs ->> 'userId'
      and status = 'active' and id <> ours.id;
    -- Only here may a state go back: Clerk's list is the truth, an event is not.
    update public.organization_members
    set organization_id = p_organization.id, status = 'active', clerk_user_id = theirs ->> 'userId',
        email = coalesce(private.normalize_email(theirs ->> 'email'), email), role = theirs ->> 'role'
    where id = ours.id;
    perform private.record_membership(p_organization, theirs, false);
    found_drift := found_drift || case
      when (ours.organization_id, ours.status) is distinct from (p_organization.id, 'active')
        then private.drift('member_missing', theirs ->> 'userId', ours.status, 'active')
      when ours.role <> theirs ->> 'role'
        then private.drift('member_role', theirs ->> 'userId', ours.role, theirs ->> 'role')
      else private.drift('member_details', theirs ->> 'userId',
        concat_ws(' ', ours.clerk_user_id, ours.email), concat_ws(' ', theirs ->> 'userId', theirs ->> 'email'))
    end;
  end loop;
  update public.organization_members set held_until = null
  where organization_id = p_organization.id and held_until <= p_started_at;
  return found_drift;
end;
$$;

comment on function private.reconcile_memberships(public.organizations, jsonb, timestamptz) is
  'Makes our active members those that Clerk lists; returns what had drifted.';

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
      and id = private.to_uuid(listed #>> '{metadata,seat_change_id}') and said.first_payment = 'paid';
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
