-- Joining with an organization's code: somebody asks, an admin approves.

create table private.join_attempts (
  clerk_user_id text not null,
  since timestamptz not null default clock_timestamp(),
  attempts integer not null default 1,
  constraint join_attempts_pkey primary key (clerk_user_id),
  constraint join_attempts_clerk_user_id_bounded check (length(clerk_user_id) between 1 and 255)
);

comment on table private.join_attempts is 'How many codes somebody has tried in the hour since: guessing is slowed.';

create function private.count_join_attempt(p_clerk_user_id text) returns void
language plpgsql
set search_path = ''
as $$
declare
  attempt private.join_attempts;
begin
  insert into private.join_attempts as known (clerk_user_id) values (p_clerk_user_id)
  on conflict (clerk_user_id) do update set
    since = case when known.since < clock_timestamp() - interval '1 hour' then clock_timestamp() else known.since end,
    attempts = case when known.since < clock_timestamp() - interval '1 hour' then 1 else known.attempts + 1 end
  returning * into attempt;
  if attempt.attempts > 10 then
    perform private.refuse(429, 'too_many_attempts', 'Too many codes were tried.', jsonb_build_object(
      'retryAfter', ceil(extract(epoch from attempt.since + interval '1 hour' - clock_timestamp()))
    ));
  end if;
end;
$$;

comment on function private.count_join_attempt(text) is
  'Counts a try of a code, right or wrong. Raises too_many_attempts (429) past ten an hour, with the seconds to wait.';

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
  perform private.count_join_attempt(p_clerk_user_id);
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
  'Asks to join with an organization''s code: returns the id of the requested (or already active) member, null for an unknown code. Takes no seat. Definer: the tables take no direct writes. Raises too_many_attempts (429).';

create function private.lock_request(p_member_id uuid, p_clerk_org_id text) returns public.organization_members
language plpgsql
set search_path = ''
as $$
declare
  member public.organization_members;
begin
  select m.* into member
  from public.organization_members as m
  join public.organizations as o on o.id = m.organization_id
  where m.id = p_member_id and o.clerk_org_id = coalesce(p_clerk_org_id, o.clerk_org_id);
  if not found then
    perform private.refuse(404, 'member_not_found', 'There is no such request.');
  end if;
  perform private.lock_organization(member.organization_id);
  perform private.expire_invitations(member.organization_id);
  select * into member from public.organization_members where id = p_member_id;
  return member;
end;
$$;

comment on function private.lock_request(uuid, text) is
  'A member, with the organization locked; of the organization p_clerk_org_id unless that is null. Raises member_not_found (404).';

create function public.approve_member(
  p_member_id uuid,
  p_actor text default null,
  p_clerk_org_id text default null
) returns public.organization_members
language plpgsql
security definer
set search_path = ''
as $$
declare
  member public.organization_members;
  needs_seat boolean;
begin
  perform private.set_cause(p_actor, 'approve_member');
  member := private.lock_request(p_member_id, p_clerk_org_id);
  if member.status = 'active' and member.clerk_membership_id is not null then
    return member;
  elsif member.status = 'active' then
    -- Clerk is about to be asked again: a hold that has lapsed must not end meanwhile.
    -- Returned as it was, so that neither who asks now nor who asked before frees the seat.
    update public.organization_members set held_until = clock_timestamp() + private.hold_time()
    where id = p_member_id;
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
  needs_seat := private.takes_seat(member.role) and not exists (
    select from public.organization_invitations
    where organization_id = member.organization_id and holds_seat
      and (email = member.email or clerk_user_id = member.clerk_user_id)
  );
  perform private.require_seats(member.organization_id, case when needs_seat then 1 else 0 end);
  update public.organization_members
  set status = 'active', held_until = clock_timestamp() + private.hold_time()
  where id = p_member_id
  returning * into member;
  return member;
end;
$$;

comment on function public.approve_member(uuid, text, text) is
  'Gives a requested member a seat, held until Clerk has the membership, and returns the member; one that is active already is returned as he was, and held anew while Clerk has no membership of his. p_clerk_org_id: the organization that the caller''s Clerk token is for. Definer: the tables take no direct writes. Raises seats_full (409), request_closed (409), already_member (409), member_not_found (404) and what private.require_open() raises.';

create function public.reject_member(p_member_id uuid, p_clerk_org_id text, p_actor text)
returns public.organization_members
language plpgsql
security definer
set search_path = ''
as $$
declare
  member public.organization_members;
begin
  perform private.set_cause(p_actor, 'reject_member');
  member := private.lock_request(p_member_id, p_clerk_org_id);
  if member.status not in ('requested', 'rejected') then
    perform private.refuse(409, 'request_closed', 'The request is no longer open.',
      jsonb_build_object('status', member.status));
  end if;
  update public.organization_members set status = 'rejected' where id = p_member_id returning * into member;
  return member;
end;
$$;

comment on function public.reject_member(uuid, text, text) is
  'Turns a request down and returns it. Definer: the tables take no direct writes. Raises request_closed (409), member_not_found (404).';

create function public.replace_join_code(p_organization_id uuid, p_clerk_org_id text, p_actor text) returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
begin
  perform private.set_cause(p_actor, 'replace_join_code');
  update public.organizations set join_code = private.new_join_code() where id = organization.id
  returning * into organization;
  return organization.join_code;
end;
$$;

comment on function public.replace_join_code(uuid, text, text) is
  'Gives the organization a new code and returns it; the old one is worth nothing from now on. Definer: the tables take no direct writes. Raises not_organization_admin (403).';
