-- Invitations and memberships that we ask Clerk for. A seat is held here first, then
-- Clerk is asked, then what Clerk says is recorded. Whatever dies in between is
-- settled by the next sync, once the hold has lapsed.

create function private.judge_person(p_organization_id uuid, p_email text) returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when exists (
      select from public.organization_members
      where organization_id = p_organization_id and email = p_email and status = 'active'
    ) then 'already_member'
    when exists (
      select from public.organization_invitations
      where organization_id = p_organization_id and email = p_email and status in ('reserved', 'pending', 'accepted')
    ) then 'already_invited'
    else 'reserved'
  end;
end;
$$;

comment on function private.judge_person(uuid, text) is
  'Whether somebody can be invited, room aside: reserved, already_member or already_invited.';

create function public.claim_seats(
  p_organization_id uuid,
  p_clerk_org_id text,
  p_people jsonb,
  p_partial boolean,
  p_actor text
) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
  capacity record;
  needed integer := 0;
  seen text[] := '{}';
  people jsonb[] := '{}';
  address text;
  role_key text;
  outcome text;
begin
  perform private.set_cause(p_actor, 'claim_seats');
  if jsonb_typeof(p_people) is distinct from 'array' or jsonb_array_length(p_people) not between 1 and 500 then
    perform private.refuse(400, 'invalid_request', 'Invite 1 to 500 people at a time.');
  end if;
  perform private.expire_invitations(p_organization_id);
  select * into capacity from public.check_organization_capacity(p_organization_id);
  if not capacity.can_add then
    perform private.require_open(organization);
  end if;

  for n in 0 .. jsonb_array_length(p_people) - 1 loop
    address := private.normalize_email(p_people -> n ->> 'email');
    role_key := coalesce(p_people -> n ->> 'role', 'org:member');
    if address is null or length(role_key) not between 1 and 128 then
      perform private.refuse(400, 'invalid_request', 'Each needs an e-mail address and a role of Clerk''s.');
    end if;
    outcome := private.judge_person(p_organization_id, address);
    if outcome = 'reserved' and address = any (seen) then
      outcome := 'already_invited';
    elsif outcome = 'reserved' and private.takes_seat(role_key) then
      needed := needed + 1;
      if needed > capacity.remaining_seats then
        outcome := 'no_seat';
      end if;
    end if;
    seen := seen || address;
    people := people || jsonb_build_object(
      'email', address,
      'role', role_key,
      'outcome', outcome,
      'invitationId', case when outcome = 'reserved' then gen_random_uuid() end
    );
  end loop;
  if needed > capacity.remaining_seats and not p_partial then
    perform private.refuse_full(p_organization_id, needed);
  end if;

  insert into public.organization_invitations (
    id, organization_id, email, role, status, holds_seat, invited_by, held_until
  )
  select (p ->> 'invitationId')::uuid, p_organization_id, p ->> 'email', p ->> 'role', 'reserved', true, p_actor,
    clock_timestamp() + private.hold_time()
  from unnest(people) as p
  where p ->> 'outcome' = 'reserved';
  return jsonb_build_object('people', people);
end;
$$;

comment on function public.claim_seats(uuid, text, jsonb, boolean, text) is
  'Holds a seat for each of p_people = [{ email, role }], 1 to 500, before Clerk is asked to invite them: all of them or nobody, or with p_partial as many as fit. Returns { people: [{ email, role, outcome: reserved | already_member | already_invited | no_seat, invitationId: of the reservation }] } in the same order. Definer: the tables take no direct writes. Raises seats_full (409), not_organization_admin (403), invalid_request (400) and what private.require_open() raises.';

create function public.hold_invitations(p_organization_id uuid, p_invitation_ids uuid[]) returns uuid[]
language plpgsql
security definer
set search_path = ''
as $$
declare
  held_ids uuid[];
begin
  perform private.lock_organization(p_organization_id);
  with held as (
    update public.organization_invitations
    set held_until = clock_timestamp() + private.hold_time()
    where organization_id = p_organization_id and id = any (p_invitation_ids) and status = 'reserved'
    returning id
  )
  select coalesce(array_agg(id), '{}') into held_ids from held;
  return held_ids;
end;
$$;

comment on function public.hold_invitations(uuid, uuid[]) is
  'Holds reservations for another private.hold_time() and returns those that there still are: to be called before Clerk is asked for more of them. Definer: the tables take no direct writes. Raises organization_not_found (404).';

create function private.settle_reservations(p_organization public.organizations, p_results jsonb) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  made constant public.organization_invitations[] := array(
    select private.invitation_after(p_organization, ours, result -> 'invitation', result ->> 'status')
    from jsonb_array_elements(p_results) as given (result)
    join public.organization_invitations as ours on ours.id = private.to_uuid(result ->> 'invitationId')
    where ours.organization_id = p_organization.id and ours.status = 'reserved' and result ? 'invitation'
      and not exists (
        select from public.organization_invitations as told
        where told.clerk_invitation_id = result #>> '{invitation,id}'
      )
  );
begin
  if made <> '{}' then
    perform private.write_invitations(made);
  end if;
  return coalesce((select jsonb_object_agg(id, status) from unnest(made)), '{}');
end;
$$;

comment on function private.settle_reservations(public.organizations, jsonb) is
  'Makes of reservations the invitations that Clerk has made for them, by the results that settle_invitations() takes, all in one statement, but for those of which Clerk''s event came first. Returns { id: state }.';

create function private.settle_invitation(
  p_organization public.organizations,
  p_invitation_id uuid,
  p_result jsonb
) returns text
language plpgsql
set search_path = ''
as $$
declare
  ours public.organization_invitations := (
    select i from public.organization_invitations as i
    where i.id = p_invitation_id and i.organization_id = p_organization.id
  );
  settled public.organization_invitations;
  clerk_id text := p_result #>> '{invitation,id}';
begin
  if ours.id is null then
    return 'unknown';
  elsif (p_result ->> 'refused')::boolean or (p_result ->> 'unknown')::boolean then
    update public.organization_invitations set status = 'revoked', held_until = null
    where id = ours.id and status = case when (p_result ->> 'unknown')::boolean then 'pending' else 'reserved' end
    returning * into ours;
    return coalesce(ours.status, (select status from public.organization_invitations where id = p_invitation_id));
  end if;

  perform private.record_invitation(p_organization, p_result -> 'invitation', p_result ->> 'status');
  settled := (select i from public.organization_invitations as i where i.clerk_invitation_id = clerk_id);
  -- Released before Clerk's answer came, and the seat is somebody else's by now.
  return case when settled.id <> ours.id and settled.holds_seat and exists (
    select from public.organizations where id = p_organization.id and over_capacity
  ) then 'late' else settled.status end;
end;
$$;

comment on function private.settle_invitation(public.organizations, uuid, jsonb) is
  'Settles one reservation or invitation by one of the results that settle_invitations() takes; returns its state.';

create function public.settle_invitations(p_organization_id uuid, p_results jsonb, p_actor text) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.lock_organization(p_organization_id);
  made jsonb;
  result jsonb;
  settled jsonb := '[]';
begin
  perform private.set_cause(p_actor, 'settle_invitations');
  made := private.settle_reservations(organization, p_results);
  for result in select r from jsonb_array_elements(p_results) as given (r) loop
    settled := settled || jsonb_build_array(jsonb_build_object(
      'invitationId', result ->> 'invitationId',
      'state', coalesce(
        made ->> (result ->> 'invitationId'),
        private.settle_invitation(organization, private.to_uuid(result ->> 'invitationId'), result)
      )
    ));
  end loop;
  return settled;
end;
$$;

comment on function public.settle_invitations(uuid, jsonb, text) is
  'Records how Clerk answered. p_results: [{ invitationId, status: pending | accepted | revoked | expired, invitation: { id, email, role, invitedBy, userId, createdAt, updatedAt, expiresAt } } | { invitationId, refused: true } | { invitationId, unknown: true }], invitationId being ours. Returns [{ invitationId, state }]: the state it has now (a reservation that Clerk refused, or an invitation that it does not know, is revoked, its seat free), or late when the reservation had lapsed and its seat is taken: revoke it in Clerk. Definer: the tables take no direct writes. Raises organization_not_found (404).';

create function public.start_resend(
  p_organization_id uuid,
  p_clerk_org_id text,
  p_invitation_id uuid,
  p_actor text
) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
  old public.organization_invitations;
  outcome text;
  needs_seat boolean;
  new_id uuid := gen_random_uuid();
begin
  perform private.set_cause(p_actor, 'start_resend');
  perform private.expire_invitations(organization.id);
  select * into old from public.organization_invitations
  where id = p_invitation_id and organization_id = p_organization_id;
  if old.id is null then
    perform private.refuse(404, 'invitation_not_found', 'There is no such invitation.');
  elsif old.status in ('accepted', 'joined') then
    perform private.refuse(409, 'invitation_closed', 'The invitation has been accepted.',
      jsonb_build_object('status', old.status));
  elsif exists (
    select from public.organization_invitations
    where organization_id = p_organization_id and email = old.email and status = 'reserved'
  ) then
    perform private.refuse(409, 'invitation_in_progress', 'The invitation is being sent.',
      jsonb_build_object('retryAfter', extract(epoch from private.hold_time())));
  end if;
  -- Anybody else's judgement but the invitation's own: a pending one is in the way of itself.
  outcome := private.judge_person(p_organization_id, old.email);
  if outcome = 'already_member' or outcome = 'already_invited' and old.status <> 'pending' then
    perform private.refuse(409, outcome, 'This person is a member or invited already.');
  end if;

  needs_seat := private.takes_seat(old.role) and not old.holds_seat;
  perform private.require_seats(p_organization_id, case when needs_seat then 1 else 0 end);
  -- The newest invitation of a person holds the seat: it passes over in this statement.
  insert into public.organization_invitations (id, organization_id, email, role, status, invited_by, held_until)
  values (new_id, p_organization_id, old.email, old.role, 'reserved', p_actor, clock_timestamp() + private.hold_time());
  return jsonb_build_object(
    'invitationId', new_id,
    'clerkInvitationId', case when old.status = 'pending' then old.clerk_invitation_id end,
    'email', old.email,
    'role', old.role
  );
end;
$$;

comment on function public.start_resend(uuid, text, uuid, text) is
  'Reserves a new invitation in the place of an old one, whose seat it takes over; one that has ended needs a free seat. Returns { invitationId: the reservation, clerkInvitationId: the old one, to be revoked in Clerk; null when it has ended, email, role }. Definer: the tables take no direct writes. Raises invitation_not_found (404), invitation_closed, invitation_in_progress, already_member, already_invited (409) and what private.require_seats() raises.';

create function private.require_another_admin(p_member public.organization_members) returns void
language plpgsql
set search_path = ''
as $$
begin
  -- Who is being changed himself may be leaving: of two admins who remove each
  -- other at once, one stays.
  if p_member.role = 'org:admin' and not exists (
    select from public.organization_members
    where organization_id = p_member.organization_id and status = 'active' and role = 'org:admin'
      and id <> p_member.id and coalesce(held_until <= clock_timestamp(), true)
  ) then
    perform private.refuse(409, 'last_admin', 'The organization would be left without an admin.');
  end if;
end;
$$;

comment on function private.require_another_admin(public.organization_members) is
  'Raises last_admin (409) when nobody else is an admin for certain.';

create function public.start_member_change(
  p_organization_id uuid,
  p_clerk_org_id text,
  p_clerk_user_id text,
  p_role text,
  p_actor text
) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
  member public.organization_members;
begin
  perform private.set_cause(p_actor, 'start_member_change');
  select * into member from public.organization_members
  where organization_id = organization.id and clerk_user_id = p_clerk_user_id and status = 'active';
  if not found then
    perform private.refuse(404, 'member_not_found', 'There is no such member.');
  elsif member.held_until > clock_timestamp() or member.clerk_membership_id is null then
    perform private.refuse(409, 'member_change_in_progress', 'This member is being changed already.',
      jsonb_build_object('retryAfter', extract(epoch from private.hold_time())));
  elsif p_role is distinct from 'org:admin' then
    perform private.require_another_admin(member);
  end if;
  if length(p_role) not between 1 and 128 then
    perform private.refuse(400, 'invalid_request', 'A role has 1 to 128 characters.');
  elsif not member.holds_seat and private.takes_seat(p_role) then
    perform private.require_seats(p_organization_id, 1);
  end if;

  -- A seat is claimed at once; one that gets free is free when Clerk has said so.
  update public.organization_members
  set held_until = clock_timestamp() + private.hold_time(),
      role = case when not member.holds_seat and private.takes_seat(p_role) then p_role else role end
  where id = member.id;
  return jsonb_build_object('memberId', member.id, 'role', p_role, 'roleBefore', member.role);
end;
$$;

comment on function public.start_member_change(uuid, text, text, text, text) is
  'Begins to give a member another role, or with p_role null to remove him, before Clerk is asked; a role that takes a seat claims it now. Returns { memberId, role, roleBefore }. Definer: the tables take no direct writes. Raises member_not_found (404), member_change_in_progress (409), last_admin (409), not_organization_admin (403), invalid_request (400) and what private.require_seats() raises.';

create function public.settle_member(p_member_id uuid, p_result jsonb, p_actor text)
returns public.organization_members
language plpgsql
security definer
set search_path = ''
as $$
declare
  member public.organization_members;
  organization public.organizations;
begin
  perform private.set_cause(p_actor, 'settle_member');
  member := private.lock_request(p_member_id, null);
  if (p_result ->> 'refused')::boolean then
    update public.organization_members
    set held_until = null,
        status = case when clerk_membership_id is null and status = 'active' then 'requested' else status end,
        role = case when role = p_result ->> 'role' then p_result ->> 'roleBefore' else role end
    where id = p_member_id and held_until is not null
      -- Where Clerk was asked by another as well, that one may still be let in.
      and coalesce(held_until = (p_result ->> 'heldUntil')::timestamptz, true);
  else
    select * into organization from public.organizations where id = member.organization_id;
    perform private.record_membership(organization, p_result -> 'membership', (p_result ->> 'removed')::boolean);
    update public.organization_members set held_until = null where id = p_member_id and held_until is not null;
  end if;
  select * into member from public.organization_members where id = p_member_id;
  return member;
end;
$$;

comment on function public.settle_member(uuid, jsonb, text) is
  'Records how Clerk answered an approval, a change of role or a removal. p_result: { membership: { id, userId, email, role, createdAt, updatedAt }, removed: boolean }, or { refused: true, role and roleBefore: of a change of role as start_member_change() returned them, heldUntil: of an approval, as approve_member() returned it }: an approved member is then a request again, and the seat free, unless Clerk was asked for him twice. Returns the member. Definer: the tables take no direct writes. Raises member_not_found (404).';
