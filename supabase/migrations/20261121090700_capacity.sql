-- Where the limit is decided. check_organization_capacity() is the rule;
-- private.require_seats() is the rule under the lock, for every command that
-- takes seats.

create function public.check_organization_capacity(p_organization_id uuid)
returns table (can_add boolean, current_members integer, seat_limit integer, remaining_seats integer)
language sql
stable
set search_path = ''
as $$
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

create function private.lock_organization(p_organization_id uuid) returns public.organizations
language plpgsql
set search_path = ''
as $$
declare
  organization public.organizations;
begin
  -- No key update: it waits for its like, and not for the foreign keys' key share.
  select * into organization from public.organizations where id = p_organization_id for no key update;
  if not found then
    perform private.refuse(404, 'organization_not_found', 'There is no such organization.');
  end if;
  return organization;
end;
$$;

comment on function private.lock_organization(uuid) is
  'The one lock that decides: buying, taking and freeing seats all begin with it. Raises organization_not_found (404).';

create function private.expire_invitations(p_organization_id uuid) returns void
language sql
set search_path = ''
as $$
  update public.organization_invitations set status = 'expired'
  where organization_id = p_organization_id and status = 'pending' and expires_at <= clock_timestamp();
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

create function private.require_seats(p_organization_id uuid, p_seats integer) returns void
language plpgsql
set search_path = ''
as $$
declare
  organization public.organizations := private.lock_organization(p_organization_id);
  subscription public.organization_subscriptions;
  capacity record;
begin
  perform private.require_approved(organization);
  select * into subscription from public.organization_subscriptions where organization_id = p_organization_id;
  if subscription.grace_until <= now() then
    perform private.refuse(409, 'payment_overdue', 'Nobody can be added until the open invoice is paid.',
      jsonb_build_object('graceUntil', subscription.grace_until));
  end if;
  perform private.expire_invitations(p_organization_id);
  select * into capacity from public.check_organization_capacity(p_organization_id);
  if capacity.remaining_seats < p_seats then
    perform private.refuse(409, 'seats_full', 'All seats are taken.', jsonb_build_object(
      'seatLimit', capacity.seat_limit,
      'available', capacity.remaining_seats,
      'needed', p_seats
    ));
  end if;
end;
$$;

comment on function private.require_seats(uuid, integer) is
  'Every command that takes seats calls this, and nothing else decides: locks the organization until the transaction ends, then applies check_organization_capacity(). Raises seats_full (409), payment_overdue (409) and what private.require_approved() raises.';

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

create function public.request_membership(p_join_code text, p_clerk_user_id text, p_email text) returns uuid
language plpgsql
security definer
set search_path = ''
as $$
declare
  joined_organization_id uuid;
  member_id uuid;
begin
  perform private.set_cause(p_clerk_user_id, 'request_membership');
  select id into joined_organization_id
  from public.organizations
  where join_code = upper(btrim(p_join_code)) and deleted_at is null;
  if not found then
    return null;
  end if;
  perform private.lock_organization(joined_organization_id);

  select id into member_id
  from public.organization_members
  where organization_id = joined_organization_id
    and clerk_user_id = p_clerk_user_id
    and status in ('active', 'requested')
  order by status
  limit 1;
  if not found then
    insert into public.organization_members (organization_id, clerk_user_id, email, status)
    values (joined_organization_id, p_clerk_user_id, private.normalize_email(p_email), 'requested')
    returning id into member_id;
  end if;
  return member_id;
end;
$$;

comment on function public.request_membership(text, text, text) is
  'Asks to join with an organization''s code: returns the id of the requested (or already active) member, null for an unknown code. Takes no seat. Definer: the tables take no direct writes.';

create function public.approve_member(p_member_id uuid, p_actor text default null) returns public.organization_members
language plpgsql
security definer
set search_path = ''
as $$
declare
  member public.organization_members;
  invitation_holds_seat boolean;
begin
  perform private.set_cause(p_actor, 'approve_member');
  select * into member from public.organization_members where id = p_member_id;
  if not found then
    perform private.refuse(404, 'member_not_found', 'There is no such request.');
  end if;
  perform private.lock_organization(member.organization_id);
  perform private.expire_invitations(member.organization_id);
  select * into member from public.organization_members where id = p_member_id;

  if member.status = 'active' then
    return member;
  elsif member.status <> 'requested' then
    perform private.refuse(409, 'request_closed', 'The request is no longer open.',
      jsonb_build_object('status', member.status));
  elsif exists (
    select from public.organization_members
    where organization_id = member.organization_id
      and clerk_user_id = member.clerk_user_id
      and status = 'active'
  ) then
    perform private.refuse(409, 'already_member', 'This person is a member already.');
  end if;

  -- Someone who is invited as well already holds the one seat that he needs.
  invitation_holds_seat := exists (
    select from public.organization_invitations
    where organization_id = member.organization_id and holds_seat
      and (email = member.email or clerk_user_id = member.clerk_user_id)
  );
  perform private.require_seats(member.organization_id, case when invitation_holds_seat then 0 else 1 end);
  update public.organization_members set status = 'active' where id = p_member_id returning * into member;
  return member;
end;
$$;

comment on function public.approve_member(uuid, text) is
  'Gives a requested member a seat and returns the member; one that is active already is returned as it is. Definer: the tables take no direct writes. Raises seats_full (409), request_closed (409), already_member (409), member_not_found (404) and what private.require_approved() raises.';
