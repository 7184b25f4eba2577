-- Facts from Clerk. They are recorded whatever they do to the numbers, in any
-- order and any number of times with the same result.

create table private.webhook_events (
  provider text not null,
  event_id text not null,
  type text not null,
  outcome text not null default 'applied',
  occurred_at timestamptz,
  received_at timestamptz not null default clock_timestamp(),
  constraint webhook_events_pkey primary key (provider, event_id)
);

create function private.is_sound(p_event private.webhook_events) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_event.provider in ('stripe', 'clerk')
    and length(p_event.event_id) between 1 and 255
    and length(p_event.type) between 1 and 255
    and length(p_event.outcome) between 1 and 64;
end;
$$;

comment on function private.is_sound(private.webhook_events) is
  'What holds in each row of webhook_events: see private.is_sound(public.organizations).';

alter table private.webhook_events add constraint webhook_events_sound check (private.is_sound(webhook_events));

comment on table private.webhook_events is
  'Each event that has been worked off, once: the dedupe ledger. Written in the transaction that does the work.';
comment on column private.webhook_events.event_id is 'Stripe''s evt_… or the svix-id, which stays the same over retries.';
comment on column private.webhook_events.outcome is 'applied, stale, or why it was ignored.';
comment on column private.webhook_events.occurred_at is
  'When the provider says it happened: health tells from it how late events are recorded. Null when it does not say.';

create function private.record_webhook_event(
  p_provider text,
  p_event_id text,
  p_type text,
  p_occurred_at timestamptz
) returns boolean
language plpgsql
set search_path = ''
as $$
begin
  -- A second delivery of an event waits here for the first one's transaction.
  insert into private.webhook_events (provider, event_id, type, occurred_at)
  values (p_provider, p_event_id, p_type, p_occurred_at)
  on conflict do nothing;
  return found;
end;
$$;

comment on function private.record_webhook_event(text, text, text, timestamptz) is
  'Enters an event into the ledger; false when it is there already.';

create function private.clerk_time(p_clerk_time jsonb) returns timestamptz
language plpgsql
immutable
set search_path = ''
as $$
declare
  given numeric := case when jsonb_typeof(p_clerk_time) = 'number' then (p_clerk_time #>> '{}')::numeric end;
begin
  if given not between 0 and 8640000000000000 then
    return null;
  end if;
  -- Clerk documents milliseconds and publishes examples in seconds.
  return to_timestamp(case when given > 100000000000 then given / 1000 else given end);
end;
$$;

comment on function private.clerk_time(jsonb) is 'A time of Clerk''s, in milliseconds or seconds since 1970; null when it is no number, or further away than a date of JavaScript''s can be.';

create function private.record_organization(
  p_clerk_org_id text,
  p_name text default null,
  p_slug text default null,
  p_updated_at timestamptz default '-infinity'
) returns public.organizations
language plpgsql
set search_path = ''
as $$
declare
  organization public.organizations;
begin
  insert into public.organizations (clerk_org_id) values (p_clerk_org_id) on conflict do nothing;
  organization := private.organization_in_turn(
    (select id from public.organizations where clerk_org_id = p_clerk_org_id)
  );
  if p_name is not null and p_updated_at > organization.clerk_updated_at then
    update public.organizations
    set name = left(p_name, 256), slug = left(p_slug, 256), clerk_updated_at = p_updated_at
    where id = organization.id
    returning * into organization;
  elsif p_name is not null and p_updated_at = organization.clerk_updated_at
    and (left(p_name, 256), left(p_slug, 256)) is distinct from (organization.name, organization.slug) then
    perform private.sync_soon(organization.id);
  end if;
  return organization;
end;
$$;

comment on function private.record_organization(text, text, text, timestamptz) is
  'Makes sure of the organization''s row, locks it, and takes name and slug in unless newer ones are there. Of two that changed in one millisecond only Clerk knows the later: the sweep asks soon.';

create function private.end_organization(p_organization_id uuid, p_deleted_at timestamptz) returns void
language plpgsql
set search_path = ''
as $$
begin
  -- No sync comes after this one to derive afresh what had drifted.
  perform public.sync_organization_counts(p_organization_id);
  if exists (select from private.stripe_subscriptions where organization_id = p_organization_id) then
    perform private.choose_subscription(p_organization_id);
  end if;
  update public.organizations set deleted_at = p_deleted_at
  where id = p_organization_id and (deleted_at is null or deleted_at > p_deleted_at);
  update public.organization_members
  set status = case status when 'requested' then 'rejected' else 'removed' end
  where organization_id = p_organization_id and status in ('requested', 'active');
  update public.organization_invitations
  set status = case status when 'accepted' then 'joined' else 'revoked' end
  where organization_id = p_organization_id and status in ('reserved', 'pending', 'accepted');
  delete from private.organization_syncs where organization_id = p_organization_id;
end;
$$;

comment on function private.end_organization(uuid, timestamptz) is
  'Clerk has deleted the organization: everyone''s seat is free. Clerk does not document whether it also sends the membership events.';

create function private.clerk_membership(p_data jsonb, p_event_type text, p_at timestamptz) returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_data ->> 'id',
    'userId', p_data #>> '{public_user_data,user_id}',
    'email', p_data #>> '{public_user_data,identifier}',
    'role', p_data ->> 'role',
    'createdAt', coalesce(private.clerk_time(p_data -> 'created_at'), p_at),
    -- Clerk's times end at the millisecond; the microsecond lets an update win
    -- over the creation of the same moment.
    'updatedAt', coalesce(private.clerk_time(p_data -> 'updated_at'), p_at)
      + case when p_event_type like '%.updated' then interval '1 microsecond' else interval '0' end
  );
end;
$$;

comment on function private.clerk_membership(jsonb, text, timestamptz) is
  'The data of an organizationMembership event as private.record_membership() takes it.';

create function private.adoptable_member(p_organization_id uuid, p_membership jsonb, p_removed boolean) returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select id
    from public.organization_members
    where organization_id = p_organization_id
      and clerk_user_id = p_membership ->> 'userId'
      and clerk_membership_id is null
      and status in ('active', 'requested')
      -- The end of an earlier membership is no end of this one; a minute is for
      -- clocks that differ.
      and (status = 'active' and not p_removed
        or (p_membership ->> 'createdAt')::timestamptz >= created_at - interval '1 minute')
    order by status
    limit 1
  );
end;
$$;

comment on function private.adoptable_member(uuid, jsonb, boolean) is
  'The member that a command of ours made and that Clerk now reports under its own id, if there is one.';

create function private.record_membership(p_organization public.organizations, p_membership jsonb, p_removed boolean)
returns void
language plpgsql
set search_path = ''
as $$
declare
  member public.organization_members;
  living public.organization_members;
  ended boolean := p_removed or p_organization.deleted_at is not null;
  made_at timestamptz := (p_membership ->> 'createdAt')::timestamptz;
  said_at timestamptz := (p_membership ->> 'updatedAt')::timestamptz;
begin
  member := (
    select m from public.organization_members as m
    where m.clerk_membership_id = p_membership ->> 'id'
      or m.id = private.adoptable_member(p_organization.id, p_membership, p_removed)
    order by m.clerk_membership_id nulls last
    limit 1
  );
  ended := ended or coalesce(member.status in ('removed', 'rejected'), false);

  -- Clerk allows a person one membership an organization: of two, the older
  -- one has ended, and its event is still on the way.
  if not ended then
    living := (
      select m from public.organization_members as m
      where m.organization_id = p_organization.id and m.clerk_user_id = p_membership ->> 'userId'
        and m.status = 'active' and m.id is distinct from member.id
    );
    if living.clerk_created_at = made_at then
      perform private.sync_soon(p_organization.id);
    end if;
    if (living.clerk_created_at, living.clerk_membership_id) > (made_at, p_membership ->> 'id') then
      ended := true;
    elsif living.id is not null then
      update public.organization_members set status = 'removed' where id = living.id;
    end if;
  end if;

  if member.id is null then
    insert into public.organization_members (
      organization_id, clerk_membership_id, clerk_user_id, email, role, status, clerk_created_at, clerk_updated_at
    ) values (
      p_organization.id, p_membership ->> 'id', p_membership ->> 'userId',
      private.normalize_email(p_membership ->> 'email'), coalesce(p_membership ->> 'role', 'org:member'),
      case when ended then 'removed' else 'active' end, made_at, said_at
    );
  elsif (member.clerk_membership_id is null or said_at > member.clerk_updated_at)
    or member.status <> (case when ended then 'removed' else 'active' end) then
    update public.organization_members
    set clerk_membership_id = p_membership ->> 'id',
        held_until = case when clerk_membership_id is null then null else held_until end,
        clerk_created_at = made_at,
        status = case when ended then 'removed' else 'active' end,
        email = case when said_at > clerk_updated_at
          then coalesce(private.normalize_email(p_membership ->> 'email'), email) else email end,
        role = case when said_at > clerk_updated_at then coalesce(p_membership ->> 'role', role) else role end,
        clerk_updated_at = greatest(clerk_updated_at, said_at)
    where id = member.id;
  elsif said_at = member.clerk_updated_at and p_membership ->> 'role' <> member.role then
    perform private.sync_soon(p_organization.id);
  end if;

  -- The acceptance that led here has done its work: the seat is the member's.
  update public.organization_invitations set status = 'joined'
  where organization_id = p_organization.id and status = 'accepted'
    and (clerk_user_id = p_membership ->> 'userId'
      or email = private.normalize_email(p_membership ->> 'email'))
    and clerk_created_at <= made_at;
end;
$$;

comment on function private.record_membership(public.organizations, jsonb, boolean) is
  'Takes in what Clerk says of a membership: { id, userId, email, role, createdAt, updatedAt } and whether it has ended. Forward only; of two roles, or two memberships of one person, of one millisecond only Clerk knows the later: the sweep asks soon. The organization is locked by the caller.';

create function private.clerk_invitation(p_data jsonb, p_at timestamptz) returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  made_at timestamptz := coalesce(private.clerk_time(p_data -> 'created_at'), p_at);
begin
  return jsonb_build_object(
    'id', p_data ->> 'id',
    'userId', p_data ->> 'user_id',
    'email', p_data ->> 'email_address',
    'role', p_data ->> 'role',
    'invitedBy', p_data ->> 'inviter_id',
    'createdAt', made_at,
    'updatedAt', coalesce(private.clerk_time(p_data -> 'updated_at'), p_at),
    -- Thirty days unless told otherwise; null is no end (Clerk: organization invitations).
    'expiresAt', case
      when p_data -> 'expires_at' = 'null' then 'infinity'
      else coalesce(private.clerk_time(p_data -> 'expires_at'), made_at + interval '30 days')
    end
  );
end;
$$;

comment on function private.clerk_invitation(jsonb, timestamptz) is
  'The data of an organizationInvitation event as private.record_invitation() takes it.';

create function private.later_invitation_status(p_one text, p_other text) returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  latest_first constant text[] := array['joined', 'accepted', 'revoked', 'expired', 'pending', 'reserved'];
begin
  return latest_first[least(array_position(latest_first, p_one), array_position(latest_first, p_other))];
end;
$$;

comment on function private.later_invitation_status(text, text) is
  'The later of two states of an invitation. Accepted beats an expiry that our clock had seen first.';

create function private.adoptable_invitation(p_organization_id uuid, p_email text, p_made_at timestamptz) returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select id
    from public.organization_invitations
    where organization_id = p_organization_id and email = p_email and status = 'reserved'
      and clerk_invitation_id is null
      -- News of an earlier invitation is none of this one; a minute is for clocks
      -- that differ.
      and p_made_at >= created_at - interval '1 minute'
  );
end;
$$;

comment on function private.adoptable_invitation(uuid, text, timestamptz) is
  'The reservation that a command of ours made and that Clerk now reports under its own id, if there is one.';

create function private.invitation_after(
  p_organization public.organizations,
  p_before public.organization_invitations,
  p_invitation jsonb,
  p_status text
) returns public.organization_invitations
language plpgsql
stable
set search_path = ''
as $$
declare
  made_at constant timestamptz := (p_invitation ->> 'createdAt')::timestamptz;
  said_at constant timestamptz := (p_invitation ->> 'updatedAt')::timestamptz;
  address constant text := private.normalize_email(p_invitation ->> 'email');
  recorded public.organization_invitations := p_before;
begin
  recorded.status := private.later_invitation_status(p_status, p_before.status);
  recorded.clerk_user_id := coalesce(p_invitation ->> 'userId', p_before.clerk_user_id);
  if recorded.status = 'accepted' and (p_organization.deleted_at is not null or exists (
    select from public.organization_members
    where organization_id = p_organization.id
      and (clerk_user_id = recorded.clerk_user_id or email = address)
      and clerk_created_at >= made_at
  )) then
    recorded.status := 'joined';
  elsif recorded.status in ('reserved', 'pending') and p_organization.deleted_at is not null then
    recorded.status := 'revoked';
  end if;

  recorded.email := coalesce(p_before.email, address);
  recorded.clerk_invitation_id := p_invitation ->> 'id';
  recorded.clerk_created_at := made_at;
  recorded.held_until := null;
  recorded.invited_by := coalesce(p_before.invited_by, p_invitation ->> 'invitedBy');
  if p_before.id is null or said_at > p_before.clerk_updated_at then
    recorded.role := coalesce(p_invitation ->> 'role', p_before.role, 'org:member');
    recorded.expires_at := (p_invitation ->> 'expiresAt')::timestamptz;
    recorded.clerk_updated_at := said_at;
  end if;
  return recorded;
end;
$$;

comment on function private.invitation_after(public.organizations, public.organization_invitations, jsonb, text) is
  'The row of an invitation, as it was or null for a new one, once it has taken in what Clerk says: { id, userId, email, role, invitedBy, createdAt, updatedAt, expiresAt } and its state. Forward only. The organization is locked by the caller.';

create function private.write_invitations(p_recorded public.organization_invitations[]) returns void
language plpgsql
set search_path = ''
-- With an array Postgres would plan the statement anew every time.
set plan_cache_mode = 'force_generic_plan'
as $$
begin
  update public.organization_invitations as i
  set status = r.status, clerk_invitation_id = r.clerk_invitation_id, clerk_created_at = r.clerk_created_at,
      held_until = r.held_until, clerk_user_id = r.clerk_user_id, invited_by = r.invited_by,
      role = r.role, expires_at = r.expires_at, clerk_updated_at = r.clerk_updated_at
  from unnest(p_recorded) as r
  where i.id = r.id;
end;
$$;

comment on function private.write_invitations(public.organization_invitations[]) is
  'Writes what private.invitation_after() has made of rows that there are.';

create function private.record_invitation(p_organization public.organizations, p_invitation jsonb, p_status text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  recorded public.organization_invitations := private.invitation_after(
    p_organization,
    (
      select i from public.organization_invitations as i
      where i.clerk_invitation_id = p_invitation ->> 'id'
        or i.id = private.adoptable_invitation(
          p_organization.id, private.normalize_email(p_invitation ->> 'email'),
          (p_invitation ->> 'createdAt')::timestamptz
        )
      order by i.clerk_invitation_id nulls last
      limit 1
    ),
    p_invitation, p_status
  );
begin
  if recorded.id is not null then
    perform private.write_invitations(array[recorded]);
    return;
  end if;
  insert into public.organization_invitations (
    organization_id, clerk_invitation_id, clerk_user_id, email, role, status, expires_at, invited_by,
    clerk_created_at, clerk_updated_at
  ) values (
    p_organization.id, recorded.clerk_invitation_id, recorded.clerk_user_id, recorded.email, recorded.role,
    recorded.status, recorded.expires_at, recorded.invited_by, recorded.clerk_created_at, recorded.clerk_updated_at
  );
end;
$$;

comment on function private.record_invitation(public.organizations, jsonb, text) is
  'Takes in what Clerk says of an invitation, as private.invitation_after() takes it: one that there is under Clerk''s id, or a reservation of ours that it was made for, or a new one. The organization is locked by the caller.';

create function private.apply_clerk_fact(
  p_type text,
  p_data jsonb,
  p_at timestamptz,
  p_clerk_org_id text
) returns uuid
language plpgsql
set search_path = ''
as $$
declare
  organization public.organizations;
begin
  organization := case
    when p_type in ('organization.created', 'organization.updated') then private.record_organization(
      p_clerk_org_id, coalesce(p_data ->> 'name', ''), p_data ->> 'slug',
      coalesce(private.clerk_time(p_data -> 'updated_at'), p_at)
        + case p_type when 'organization.updated' then interval '1 microsecond' else interval '0' end
    )
    when p_type like 'organizationMembership.%' then private.record_organization(
      p_clerk_org_id, p_data #>> '{organization,name}', p_data #>> '{organization,slug}',
      private.clerk_time(p_data #> '{organization,updated_at}')
    )
    else private.record_organization(p_clerk_org_id)
  end;

  case p_type
    when 'organization.deleted' then
      perform private.end_organization(organization.id, p_at);
    when 'organizationMembership.created', 'organizationMembership.updated', 'organizationMembership.deleted' then
      perform private.record_membership(
        organization, private.clerk_membership(p_data, p_type, p_at), p_type = 'organizationMembership.deleted'
      );
    when 'organizationInvitation.created', 'organizationInvitation.accepted', 'organizationInvitation.revoked' then
      perform private.record_invitation(organization, private.clerk_invitation(p_data, p_at), case p_type
        when 'organizationInvitation.created' then 'pending'
        when 'organizationInvitation.accepted' then 'accepted'
        else 'revoked'
      end);
    else null;
  end case;
  return organization.id;
end;
$$;

comment on function private.apply_clerk_fact(text, jsonb, timestamptz, text) is
  'Writes what one event of Clerk''s says and returns the organization that it is about.';

create function public.apply_clerk_event(p_message_id text, p_event jsonb) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  event_type text := p_event ->> 'type';
  data jsonb := p_event -> 'data';
  happened_at timestamptz := coalesce(private.clerk_time(p_event -> 'timestamp'), clock_timestamp());
  recorded_id uuid;
  was_over_capacity boolean;
  organization public.organizations;
  event_org_id text := case
    when event_type like 'organization.%' then data ->> 'id'
    when event_type like 'organizationMembership.%' then data #>> '{organization,id}'
    when event_type like 'organizationInvitation.%' then data ->> 'organization_id'
  end;
begin
  if event_type not in (
    'organization.created', 'organization.updated', 'organization.deleted',
    'organizationMembership.created', 'organizationMembership.updated', 'organizationMembership.deleted',
    'organizationInvitation.created', 'organizationInvitation.accepted', 'organizationInvitation.revoked'
  ) then
    return jsonb_build_object('outcome', 'ignored', 'reason', 'unhandled_type');
  elsif not private.record_webhook_event(
    'clerk', p_message_id, event_type, private.clerk_time(p_event -> 'timestamp')
  ) then
    return jsonb_build_object('outcome', 'duplicate');
  end if;
  perform private.set_cause('clerk', p_message_id);

  select o.over_capacity into was_over_capacity
  from public.organizations as o where o.clerk_org_id = event_org_id;
  recorded_id := private.apply_clerk_fact(event_type, data, happened_at, event_org_id);
  organization := (select o from public.organizations as o where o.id = recorded_id);
  return jsonb_build_object(
    'outcome', 'applied',
    'organizationId', organization.id,
    'seatsUsed', organization.seats_used,
    'seatLimit', organization.seat_limit,
    'pushLimit', private.limit_push_due(organization),
    -- Before the first purchase there is no capacity to exceed: the owner alone
    -- is one more than none.
    'alert', case when organization.over_capacity and not coalesce(was_over_capacity, false) and exists (
      select from public.organization_subscriptions as s
      where s.organization_id = organization.id and s.status <> 'none'
    ) then 'over_capacity' end
  );
end;
$$;

comment on function public.apply_clerk_event(text, jsonb) is
  'Takes in one verified event of Clerk''s (p_message_id: its svix-id). Returns { outcome: applied | duplicate | ignored, organizationId, seatsUsed, seatLimit, pushLimit: whether Clerk has to be told the limit, alert: over_capacity when the fact has just taken it past its limit }. Definer: the tables take no direct writes.';
