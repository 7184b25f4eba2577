-- Organizations, and the guard that keeps their derived numbers derived.

create function private.default_organization_status() returns text
language sql
stable
set search_path = ''
as $$
  select default_organization_status from private.settings;
$$;

comment on function private.default_organization_status() is
  'Status of an organization when Clerk first reports it.';

create function private.new_join_code() returns text
language sql
volatile
set search_path = ''
as $$
  -- 48 random bits of a version-4 UUID: short enough to type, too many to guess.
  select upper(left(replace(gen_random_uuid()::text, '-', ''), 12));
$$;

comment on function private.new_join_code() is 'A new code that people ask to join with: 12 characters, 0-9 and A-F.';

create table public.organizations (
  id uuid not null default gen_random_uuid(),
  clerk_org_id text not null,
  name text not null default '',
  slug text,
  status text not null default private.default_organization_status(),
  subscription_plan text,
  join_code text not null default private.new_join_code(),
  seat_limit integer not null default 0,
  members_count integer not null default 0,
  pending_invitations_count integer not null default 0,
  seats_used integer not null generated always as (members_count + pending_invitations_count) stored,
  over_capacity boolean not null generated always as (members_count + pending_invitations_count > seat_limit) stored,
  clerk_limit integer not null default 1,
  clerk_limit_pushed integer,
  clerk_limit_error text,
  last_synced_at timestamptz,
  clerk_updated_at timestamptz not null default '-infinity',
  deleted_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint organizations_pkey primary key (id),
  constraint organizations_clerk_org_id_unique unique (clerk_org_id),
  constraint organizations_subscription_plan_fkey foreign key (subscription_plan) references public.plans (id),
  constraint organizations_join_code_unique unique (join_code)
);

create function private.is_sound(p_organization public.organizations) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return length(p_organization.clerk_org_id) between 1 and 255
    and length(p_organization.name) <= 256
    and length(p_organization.slug) <= 256
    and p_organization.status in ('pending', 'approved', 'suspended')
    and length(p_organization.join_code) between 8 and 256
    and length(p_organization.clerk_limit_error) <= 256
    and least(p_organization.clerk_limit, p_organization.clerk_limit_pushed) > 0
    and least(p_organization.seat_limit, p_organization.members_count, p_organization.pending_invitations_count) >= 0;
end;
$$;

comment on function private.is_sound(public.organizations) is
  'What holds in each row of organizations. A function of the whole row, compiled once a connection: Postgres reads the terms of a constraint from their text, and plans them, anew for each statement that writes.';

alter table public.organizations add constraint organizations_sound check (private.is_sound(organizations));

create index organizations_subscription_plan_idx on public.organizations (subscription_plan);

comment on table public.organizations is
  'An organization of Clerk, with its seats. The row lock on it decides who gets the last seat.';
comment on column public.organizations.status is
  'pending: may not buy or add members yet; approved; suspended: may not buy or add members any more.';
comment on column public.organizations.subscription_plan is 'Plan of the current subscription. Derived by trigger.';
comment on column public.organizations.join_code is 'Whoever has it may ask to join; an admin approves.';
comment on column public.organizations.seat_limit is
  'Always organization_subscriptions.purchased_seats, 0 without a subscription. Derived by trigger; any other value is refused.';
comment on column public.organizations.members_count is 'Active members. Counted by trigger; any other value is refused.';
comment on column public.organizations.pending_invitations_count is
  'Invitations that hold a seat. Counted by trigger; any other value is refused.';
comment on column public.organizations.seats_used is 'members_count + pending_invitations_count.';
comment on column public.organizations.over_capacity is
  'Facts from Clerk or Stripe took it past its limit: nobody can be added until that ends.';
comment on column public.organizations.clerk_limit is
  'What Clerk''s max_allowed_memberships has to be, so that Clerk''s own screens refuse whom we would refuse. Never 0, which means unlimited to Clerk. Derived by trigger.';
comment on column public.organizations.clerk_limit_pushed is
  'What Clerk last took as its limit; null while that is not known.';
comment on column public.organizations.clerk_limit_error is 'The code that Clerk refused the last push with.';
comment on column public.organizations.last_synced_at is 'When Postgres was last compared with Clerk and Stripe.';
comment on column public.organizations.clerk_updated_at is
  'Watermark: what Clerk said at this moment or before is already here.';
comment on column public.organizations.deleted_at is
  'Deleted in Clerk. The row stays as a tombstone, so that a late event cannot bring it back.';

create table private.organization_syncs (
  organization_id uuid not null,
  due boolean not null default false,
  attempted_at timestamptz not null default '-infinity',
  lease_id uuid,
  leased_until timestamptz not null default '-infinity',
  limit_push_id uuid,
  limit_push_until timestamptz not null default '-infinity',
  constraint organization_syncs_pkey primary key (organization_id),
  constraint organization_syncs_organization_id_fkey
    foreign key (organization_id) references public.organizations (id)
);

create index organization_syncs_waiting_idx on private.organization_syncs (due desc, attempted_at);

comment on table private.organization_syncs is
  'The queue of the sweep: one row a living organization. What is due comes first, then the longest waiting.';
comment on column private.organization_syncs.due is
  'Something about it cannot wait its turn (private.mark_due_organizations()). Ends when a sync begins, so that one that keeps failing comes first once a sweep.';
comment on column private.organization_syncs.attempted_at is
  'When a sync last began, whether it succeeded or not: one that keeps failing does not hold up the others.';
comment on column private.organization_syncs.lease_id is
  'Names the worker that may write: one that wakes up late finds another id here and writes nothing.';

comment on column private.organization_syncs.limit_push_id is
  'Names the push of the limit to Clerk that is under way, until limit_push_until: another one waits.';

create function private.sync_soon(p_organization_id uuid) returns void
language sql
set search_path = ''
as $$
  update private.organization_syncs set due = true where organization_id = p_organization_id;
$$;

comment on function private.sync_soon(uuid) is
  'Lets an organization come first in the queue of the sweep: what happened to it, only Clerk and Stripe can tell.';

create function private.queue_organization_for_sync() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  insert into private.organization_syncs (organization_id) values (new.id);
  return null;
end;
$$;

comment on function private.queue_organization_for_sync() is 'Trigger: puts a new organization into the queue of the sweep.';

create trigger organizations_queued_for_sync
  after insert on public.organizations
  for each row execute function private.queue_organization_for_sync();
