-- Agreement with Clerk: who is in and who is invited is put right, one by one, where
-- it differs from Clerk's lists and has not changed since the lease began.

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
