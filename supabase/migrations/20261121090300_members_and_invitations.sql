-- Who is in an organization, and who is on the way in.

create table public.organization_members (
  id uuid not null default gen_random_uuid(),
  organization_id uuid not null,
  clerk_membership_id text,
  clerk_user_id text not null,
  email text,
  role text not null default 'org:member',
  status text not null,
  holds_seat boolean not null default false,
  held_until timestamptz,
  clerk_created_at timestamptz,
  clerk_updated_at timestamptz not null default '-infinity',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint organization_members_pkey primary key (id),
  constraint organization_members_organization_id_fkey
    foreign key (organization_id) references public.organizations (id),
  constraint organization_members_clerk_membership_id_unique unique (clerk_membership_id)
);

create function private.is_sound(p_member public.organization_members) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return length(p_member.clerk_membership_id) between 1 and 255
    and length(p_member.clerk_user_id) between 1 and 255
    and p_member.email is not distinct from private.normalize_email(p_member.email)
    and length(p_member.role) between 1 and 128
    and p_member.status in ('requested', 'active', 'removed', 'rejected');
end;
$$;

comment on function private.is_sound(public.organization_members) is
  'What holds in each row of organization_members: see private.is_sound(public.organizations).';

alter table public.organization_members add constraint organization_members_sound check (private.is_sound(organization_members));

create index organization_members_organization_id_idx on public.organization_members (organization_id, status);
create index organization_members_clerk_user_id_idx on public.organization_members (clerk_user_id, status);
create unique index organization_members_one_active on public.organization_members (organization_id, clerk_user_id)
  where status = 'active';
create unique index organization_members_one_request on public.organization_members (organization_id, clerk_user_id)
  where status = 'requested';
create index organization_members_active_email_idx on public.organization_members (organization_id, email)
  where status = 'active';

create index organization_members_holding_idx on public.organization_members (organization_id)
  where holds_seat;
create index organization_members_seatless_idx on public.organization_members (organization_id)
  where status = 'active' and not holds_seat;
create index organization_members_held_idx on public.organization_members (held_until)
  where held_until is not null;

comment on table public.organization_members is
  'One row a membership, kept after it ends: a removed row is the tombstone that a late event runs into.';
comment on column public.organization_members.clerk_membership_id is
  'Clerk''s id; null for a request, and for an approved member until Clerk reports the membership.';
comment on column public.organization_members.role is 'Clerk''s role key, with its org: prefix.';
comment on column public.organization_members.status is
  'requested (asked to join, no seat) → active (one seat) → removed; requested → rejected. Never backwards by an event.';
comment on column public.organization_members.holds_seat is
  'Whether it counts: it is active, and its role takes a seat. Derived by trigger.';
comment on column public.organization_members.held_until is
  'A command of ours is asking Clerk about this member until then at the latest; past that the next sync settles it by what Clerk says.';
comment on column public.organization_members.clerk_created_at is
  'When Clerk made the membership: of two memberships of one person the newer is the living one.';
comment on column public.organization_members.clerk_updated_at is 'Watermark of role and e-mail.';

create table public.organization_invitations (
  id uuid not null default gen_random_uuid(),
  organization_id uuid not null,
  clerk_invitation_id text,
  clerk_user_id text,
  email text not null,
  role text not null default 'org:member',
  status text not null,
  holds_seat boolean not null default false,
  held_until timestamptz,
  -- Clerk's own lifetime of an invitation.
  expires_at timestamptz not null default clock_timestamp() + interval '30 days',
  invited_by text,
  clerk_created_at timestamptz,
  clerk_updated_at timestamptz not null default '-infinity',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint organization_invitations_pkey primary key (id),
  constraint organization_invitations_organization_id_fkey
    foreign key (organization_id) references public.organizations (id),
  constraint organization_invitations_clerk_invitation_id_unique unique (clerk_invitation_id)
);

create function private.is_sound(p_invitation public.organization_invitations) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return length(p_invitation.clerk_invitation_id) between 1 and 255
    and length(p_invitation.clerk_user_id) between 1 and 255
    and p_invitation.email is not distinct from private.normalize_email(p_invitation.email)
    and length(p_invitation.role) between 1 and 128
    and length(p_invitation.invited_by) <= 255
    and p_invitation.status in ('reserved', 'pending', 'accepted', 'joined', 'revoked', 'expired');
end;
$$;

comment on function private.is_sound(public.organization_invitations) is
  'What holds in each row of organization_invitations: see private.is_sound(public.organizations).';

alter table public.organization_invitations add constraint organization_invitations_sound check (private.is_sound(organization_invitations));

create index organization_invitations_person_idx on public.organization_invitations (organization_id, email);
create index organization_invitations_user_idx on public.organization_invitations (organization_id, clerk_user_id)
  where clerk_user_id is not null;
create index organization_invitations_expiring_idx on public.organization_invitations (organization_id, expires_at)
  where status = 'pending';
create index organization_invitations_holding_idx on public.organization_invitations (organization_id)
  where holds_seat;

create index organization_invitations_held_idx on public.organization_invitations (held_until)
  where held_until is not null;
create unique index organization_invitations_one_reservation on public.organization_invitations (organization_id, email)
  where status = 'reserved';

comment on table public.organization_invitations is
  'One row an invitation, kept after it ends, as a tombstone.';
comment on column public.organization_invitations.clerk_invitation_id is
  'Clerk''s id; null while the call to Clerk is under way.';
comment on column public.organization_invitations.clerk_user_id is 'Who accepted it, once Clerk has said so.';
comment on column public.organization_invitations.status is
  'reserved (seat held, Clerk not asked yet) → pending → accepted → joined, or revoked, or expired. Never backwards by an event.';
comment on column public.organization_invitations.holds_seat is
  'Whether it counts: it is reserved, pending or accepted, its role takes a seat, its person is no active member yet, and no newer invitation of the same person is alive or was joined. Derived by trigger.';
comment on column public.organization_invitations.held_until is
  'A command of ours is asking Clerk for this invitation until then at the latest; past that the next sync adopts or releases it by what Clerk says.';
comment on column public.organization_invitations.expires_at is 'Infinity for one that Clerk names no end of.';
comment on column public.organization_invitations.invited_by is 'Clerk user id of the inviter.';
comment on column public.organization_invitations.clerk_created_at is
  'When Clerk made it: only a membership made since then can be the one that it led to.';
comment on column public.organization_invitations.clerk_updated_at is 'Watermark of role, e-mail and expiry.';
