-- Who may read and do what. Hosted Supabase grants by name to anon, authenticated
-- and service_role, so a revoke from public alone would leave everything open.

create function private.my_organization_ids() returns setof uuid
language sql
stable
security definer
set search_path = ''
as $$
  select organization_id
  from public.organization_members
  where clerk_user_id = (select auth.jwt() ->> 'sub') and status = 'active';
$$;

comment on function private.my_organization_ids() is
  'The organizations that the caller of the Data API is an active member of, by the sub of the Clerk token. Definer: the policy on organization_members would otherwise ask itself.';

create function private.my_administered_organization_ids() returns setof uuid
language sql
stable
security definer
set search_path = ''
as $$
  select organization_id
  from public.organization_members
  where clerk_user_id = (select auth.jwt() ->> 'sub') and status = 'active' and role = 'org:admin';
$$;

comment on function private.my_administered_organization_ids() is
  'The organizations that the caller of the Data API is an admin of. Definer: see private.my_organization_ids().';

create view public.organization_seats
with (security_invoker = true)
as
  select organization_id, 'member' as taken_by, id, clerk_user_id, email, role,
    coalesce(clerk_created_at, created_at) as since
  from public.organization_members
  where holds_seat
  union all
  select organization_id, 'invitation', id, clerk_user_id, email, role,
    coalesce(clerk_created_at, created_at)
  from public.organization_invitations
  where holds_seat;

comment on view public.organization_seats is
  'The seats taken now, one row a seat: who has it and since when, as a member or through an invitation.';

alter table public.plans enable row level security;
alter table public.plan_prices enable row level security;
alter table public.organizations enable row level security;
alter table public.organization_subscriptions enable row level security;
alter table public.organization_members enable row level security;
alter table public.organization_invitations enable row level security;
alter table public.billing_changes enable row level security;
alter table public.seat_changes enable row level security;
alter table private.settings enable row level security;
alter table private.webhook_events enable row level security;
alter table private.stripe_subscriptions enable row level security;
alter table private.organization_syncs enable row level security;
alter table private.sync_runs enable row level security;
alter table private.join_attempts enable row level security;

create policy plans_read on public.plans for select to authenticated using (true);
create policy plan_prices_read on public.plan_prices for select to authenticated using (true);
create policy organizations_read_own on public.organizations for select to authenticated
  using (id in (select private.my_organization_ids()));
create policy organization_subscriptions_read_own on public.organization_subscriptions for select to authenticated
  using (organization_id in (select private.my_organization_ids()));
create policy organization_members_read_own on public.organization_members for select to authenticated
  using (organization_id in (select private.my_organization_ids()));
create policy organization_invitations_read_own on public.organization_invitations for select to authenticated
  using (organization_id in (select private.my_organization_ids()));
create policy billing_changes_read_own on public.billing_changes for select to authenticated
  using (organization_id in (select private.my_administered_organization_ids()));
create policy seat_changes_read_own on public.seat_changes for select to authenticated
  using (organization_id in (select private.my_administered_organization_ids()));

revoke all on
  public.plans, public.plan_prices, public.organizations, public.organization_subscriptions,
  public.organization_members, public.organization_invitations, public.organization_seats,
  public.billing_changes, public.seat_changes
from public, anon, authenticated, service_role;

revoke all on sequence public.billing_changes_id_seq from public, anon, authenticated, service_role;

grant select on
  public.plans, public.plan_prices, public.organizations, public.organization_subscriptions,
  public.organization_members, public.organization_invitations, public.organization_seats,
  public.billing_changes, public.seat_changes
to authenticated, service_role;
grant insert, update, delete on public.plans, public.plan_prices to service_role;

revoke all on schema private from public, anon, authenticated, service_role;
revoke all on all tables in schema private from public, anon, authenticated, service_role;
revoke all on all sequences in schema private from public, anon, authenticated, service_role;
revoke all on all functions in schema private from public, anon, authenticated, service_role;
-- Policies run as the caller.
grant usage on schema private to authenticated;
grant execute on function private.my_organization_ids(), private.my_administered_organization_ids() to authenticated;

revoke all on function
  public.check_organization_capacity(uuid),
  public.check_seat_availability(uuid),
  public.set_organization_status(uuid, text, text),
  public.request_membership(text, text, text),
  public.approve_member(uuid, text, text),
  public.reject_member(uuid, text, text),
  public.replace_join_code(uuid, text, text),
  public.claim_seats(uuid, text, jsonb, boolean, text),
  public.hold_invitations(uuid, uuid[]),
  public.settle_invitations(uuid, jsonb, text),
  public.start_resend(uuid, text, uuid, text),
  public.start_member_change(uuid, text, text, text, text),
  public.settle_member(uuid, jsonb, text),
  public.start_clerk_limit_push(uuid),
  public.finish_clerk_limit_push(uuid, uuid, integer, text),
  public.apply_clerk_event(text, jsonb),
  public.apply_stripe_event(jsonb, jsonb),
  public.start_checkout(uuid, text, text, text, integer, text, text, text),
  public.attach_stripe_customer(uuid, text, text, text),
  public.attach_checkout_session(uuid, text),
  public.grant_seats(uuid, integer, text, text),
  public.start_seat_change(uuid, text, integer, text, text, text, text, timestamptz, timestamptz),
  public.settle_seat_change(uuid, jsonb, text),
  public.mark_seat_change_stuck(uuid, text),
  public.seat_summary(uuid, text),
  public.seat_usage(uuid, text, date, date),
  public.preview_seat_change(uuid, text, integer, text, text),
  public.abandon_checkout(uuid),
  public.sync_organization_counts(uuid),
  public.claim_sync_batch(integer, integer, timestamptz),
  public.claim_organization_sync(uuid, text, integer),
  public.abandon_sync(uuid, uuid),
  public.return_leases(uuid[]),
  public.expire_invitations(integer),
  public.begin_sweep(),
  public.unknown_stripe_events(text[]),
  public.reconcile_organization(jsonb, jsonb, jsonb, text),
  public.record_sync_run(timestamptz, integer, integer, jsonb, integer, bigint),
  public.is_up(),
  public.health_report()
from public, anon, authenticated, service_role;

grant execute on function
  public.check_organization_capacity(uuid),
  public.check_seat_availability(uuid)
to authenticated;

grant execute on function
  public.check_organization_capacity(uuid),
  public.check_seat_availability(uuid),
  public.set_organization_status(uuid, text, text),
  public.request_membership(text, text, text),
  public.approve_member(uuid, text, text),
  public.reject_member(uuid, text, text),
  public.replace_join_code(uuid, text, text),
  public.claim_seats(uuid, text, jsonb, boolean, text),
  public.hold_invitations(uuid, uuid[]),
  public.settle_invitations(uuid, jsonb, text),
  public.start_resend(uuid, text, uuid, text),
  public.start_member_change(uuid, text, text, text, text),
  public.settle_member(uuid, jsonb, text),
  public.start_clerk_limit_push(uuid),
  public.finish_clerk_limit_push(uuid, uuid, integer, text),
  public.apply_clerk_event(text, jsonb),
  public.apply_stripe_event(jsonb, jsonb),
  public.start_checkout(uuid, text, text, text, integer, text, text, text),
  public.attach_stripe_customer(uuid, text, text, text),
  public.attach_checkout_session(uuid, text),
  public.grant_seats(uuid, integer, text, text),
  public.start_seat_change(uuid, text, integer, text, text, text, text, timestamptz, timestamptz),
  public.settle_seat_change(uuid, jsonb, text),
  public.mark_seat_change_stuck(uuid, text),
  public.seat_summary(uuid, text),
  public.seat_usage(uuid, text, date, date),
  public.preview_seat_change(uuid, text, integer, text, text),
  public.abandon_checkout(uuid),
  public.sync_organization_counts(uuid),
  public.claim_sync_batch(integer, integer, timestamptz),
  public.claim_organization_sync(uuid, text, integer),
  public.abandon_sync(uuid, uuid),
  public.return_leases(uuid[]),
  public.expire_invitations(integer),
  public.begin_sweep(),
  public.unknown_stripe_events(text[]),
  public.reconcile_organization(jsonb, jsonb, jsonb, text),
  public.record_sync_run(timestamptz, integer, integer, jsonb, integer, bigint),
  public.is_up(),
  public.health_report()
to service_role;
