-- What the migrations add up to, for reading and reviewing. Made by "npm run db:schema".
-- Not a script to run: that is what the migrations are.

-- schema private

create schema private;
comment on schema private is 'Seatkeeper''s inside: ledgers, settings and helpers. Never exposed through the Data API.';
grant usage on schema private to authenticated;

create table private.join_attempts (
  clerk_user_id text not null,
  since timestamp with time zone default clock_timestamp() not null,
  attempts integer default 1 not null,
  constraint join_attempts_pkey PRIMARY KEY (clerk_user_id),
  constraint join_attempts_clerk_user_id_bounded CHECK (((length(clerk_user_id) >= 1) AND (length(clerk_user_id) <= 255)))
);

alter table private.join_attempts enable row level security;

comment on table private.join_attempts is 'How many codes somebody has tried in the hour since: guessing is slowed.';

create table private.organization_syncs (
  organization_id uuid not null,
  due boolean default false not null,
  attempted_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  lease_id uuid,
  leased_until timestamp with time zone default '-infinity'::timestamp with time zone not null,
  limit_push_id uuid,
  limit_push_until timestamp with time zone default '-infinity'::timestamp with time zone not null,
  constraint organization_syncs_pkey PRIMARY KEY (organization_id),
  constraint organization_syncs_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organizations(id)
);

CREATE INDEX organization_syncs_waiting_idx ON private.organization_syncs USING btree (due DESC, attempted_at);

alter table private.organization_syncs enable row level security;

comment on table private.organization_syncs is 'The queue of the sweep: one row a living organization. What is due comes first, then the longest waiting.';
comment on column private.organization_syncs.due is 'Something about it cannot wait its turn (private.mark_due_organizations()). Ends when a sync begins, so that one that keeps failing comes first once a sweep.';
comment on column private.organization_syncs.attempted_at is 'When a sync last began, whether it succeeded or not: one that keeps failing does not hold up the others.';
comment on column private.organization_syncs.lease_id is 'Names the worker that may write: one that wakes up late finds another id here and writes nothing.';
comment on column private.organization_syncs.limit_push_id is 'Names the push of the limit to Clerk that is under way, until limit_push_until: another one waits.';

create table private.settings (
  only_row boolean default true not null,
  default_organization_status text default 'approved'::text not null,
  grace_period interval default '7 days'::interval not null,
  seatless_roles text[] default '{}'::text[] not null,
  drift_alert integer default 50 not null,
  constraint settings_pkey PRIMARY KEY (only_row),
  constraint settings_default_organization_status_known CHECK ((default_organization_status = ANY (ARRAY['pending'::text, 'approved'::text, 'suspended'::text]))),
  constraint settings_drift_alert_not_negative CHECK ((drift_alert >= 0)),
  constraint settings_grace_period_not_negative CHECK ((grace_period >= '00:00:00'::interval)),
  constraint settings_only_row CHECK (only_row)
);

alter table private.settings enable row level security;

comment on table private.settings is 'One row: what an operator may set without a deploy.';
comment on column private.settings.default_organization_status is 'Status of an organization when Clerk first reports it. ''pending'' makes an operator approve each before it can buy.';
comment on column private.settings.grace_period is 'How long an organization whose payment is overdue may still add people, from the start of the unpaid period.';
comment on column private.settings.seatless_roles is 'Clerk role keys whose holders take no seat, for example {org:auditor}. After a change each organization has to be synced.';
comment on column private.settings.drift_alert is 'Differences in one sweep above which an alert is raised. A few are lost events; many are an endpoint that is down, or someone who writes around the functions.';

create table private.stripe_subscriptions (
  stripe_subscription_id text not null,
  organization_id uuid not null,
  stripe_item_id text,
  status text not null,
  plan text,
  billing_period text,
  quantity integer not null,
  current_period_start timestamp with time zone,
  current_period_end timestamp with time zone,
  pending_update boolean default false not null,
  cancel_at_period_end boolean default false not null,
  first_payment text default 'unknown'::text not null,
  stripe_created_at timestamp with time zone not null,
  watermark timestamp with time zone not null,
  watermark_asked boolean default false not null,
  watermark_tiebreak text default ''::text not null,
  version bigint default 1 not null,
  constraint stripe_subscriptions_pkey PRIMARY KEY (stripe_subscription_id),
  constraint stripe_subscriptions_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organizations(id),
  constraint stripe_subscriptions_plan_fkey FOREIGN KEY (plan) REFERENCES public.plans(id),
  constraint stripe_subscriptions_sound CHECK (private.is_sound(stripe_subscriptions.*))
);

CREATE INDEX stripe_subscriptions_organization_id_idx ON private.stripe_subscriptions USING btree (organization_id);
CREATE INDEX stripe_subscriptions_plan_idx ON private.stripe_subscriptions USING btree (plan);

alter table private.stripe_subscriptions enable row level security;

comment on table private.stripe_subscriptions is 'One row a seat subscription, with what Stripe last said of it. organization_subscriptions is chosen from these.';
comment on column private.stripe_subscriptions.pending_update is 'A change waits for its payment (Stripe: pending updates); the other columns are as before it.';
comment on column private.stripe_subscriptions.first_payment is 'paid once Stripe has said that its first invoice is paid (or that none is due); awaited when Checkout ended unpaid. Only paid subscriptions give seats.';
comment on column private.stripe_subscriptions.watermark is 'Stripe''s time up to which events are already in here: an older one is stale. Events have whole seconds (Stripe: Event object, created).';
comment on column private.stripe_subscriptions.watermark_asked is 'The row was read from Stripe, not from an event: an event up to the watermark may be older or newer than it, so Stripe is asked again.';
comment on column private.stripe_subscriptions.watermark_tiebreak is 'Settles two events of one second when Stripe does not know the subscription and so cannot be asked.';
comment on column private.stripe_subscriptions.version is 'Counts writes: an answer of Stripe''s that was asked for at an older version is asked for again.';

create table private.sync_runs (
  id bigint generated always as identity not null,
  started_at timestamp with time zone not null,
  finished_at timestamp with time zone default clock_timestamp() not null,
  organizations integer not null,
  failed integer not null,
  drift jsonb not null,
  recovered_events integer default 0 not null,
  events_until timestamp with time zone,
  constraint sync_runs_pkey PRIMARY KEY (id),
  constraint sync_runs_counts_not_negative CHECK (((organizations >= 0) AND (failed >= 0) AND (recovered_events >= 0)))
);

CREATE INDEX sync_runs_finished_at_idx ON private.sync_runs USING btree (finished_at);

alter table private.sync_runs enable row level security;

comment on table private.sync_runs is 'One row a sweep of sync-seats, kept as long as the ledger of events.';
comment on column private.sync_runs.failed is 'Organizations that could not be compared, because Clerk or Stripe failed.';
comment on column private.sync_runs.drift is 'How many differences of each kind were repaired: { kind: number }.';
comment on column private.sync_runs.recovered_events is 'Events that Stripe had failed to deliver and that were applied.';
comment on column private.sync_runs.events_until is 'Undelivered events up to this moment have been seen to; null when Stripe could not be asked for them.';

create table private.webhook_events (
  provider text not null,
  event_id text not null,
  type text not null,
  outcome text default 'applied'::text not null,
  occurred_at timestamp with time zone,
  received_at timestamp with time zone default clock_timestamp() not null,
  constraint webhook_events_pkey PRIMARY KEY (provider, event_id),
  constraint webhook_events_sound CHECK (private.is_sound(webhook_events.*))
);

CREATE INDEX webhook_events_received_at_idx ON private.webhook_events USING btree (received_at);

alter table private.webhook_events enable row level security;

comment on table private.webhook_events is 'Each event that has been worked off, once: the dedupe ledger. Written in the transaction that does the work.';
comment on column private.webhook_events.event_id is 'Stripe''s evt_… or the svix-id, which stays the same over retries.';
comment on column private.webhook_events.outcome is 'applied, stale, or why it was ignored.';
comment on column private.webhook_events.occurred_at is 'When the provider says it happened: health tells from it how late events are recorded. Null when it does not say.';

CREATE OR REPLACE FUNCTION private.add_unknown_invitations(p_organization public.organizations, p_invitations jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.add_unknown_invitations(public.organizations,jsonb) is 'Adds the listed invitations of whose addresses the organization has never heard, in one statement: there may be thousands. Returns which.';

CREATE OR REPLACE FUNCTION private.add_unknown_members(p_organization public.organizations, p_memberships jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.add_unknown_members(public.organizations,jsonb) is 'Adds the listed members of whom the organization has never heard, in one statement: there may be thousands. Returns which.';

comment on function private.adoptable_invitation(uuid,text,timestamp with time zone) is 'The reservation that a command of ours made and that Clerk now reports under its own id, if there is one.';

CREATE OR REPLACE FUNCTION private.adoptable_invitation(p_organization_id uuid, p_email text, p_made_at timestamp with time zone)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.adoptable_member(p_organization_id uuid, p_membership jsonb, p_removed boolean)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.adoptable_member(uuid,jsonb,boolean) is 'The member that a command of ours made and that Clerk now reports under its own id, if there is one.';

comment on function private.apply_clerk_fact(text,jsonb,timestamp with time zone,text) is 'Writes what one event of Clerk''s says and returns the organization that it is about.';

CREATE OR REPLACE FUNCTION private.apply_clerk_fact(p_type text, p_data jsonb, p_at timestamp with time zone, p_clerk_org_id text)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.apply_stripe_fact(p_organization_id uuid, p_event jsonb, p_subscription_id text, p_answer jsonb)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  event_type text := p_event ->> 'type';
  object jsonb := p_event #> '{data,object}';
  created timestamptz := to_timestamp((p_event ->> 'created')::bigint);
  tiebreak text := array_position(array['created', 'updated', 'deleted'], split_part(event_type, '.', 3))
    || ':' || (p_event ->> 'id');
  unknown_to_stripe boolean := coalesce(jsonb_typeof(p_answer -> 'subscription') = 'null', false);
  known private.stripe_subscriptions := (
    select s from private.stripe_subscriptions as s where s.stripe_subscription_id = p_subscription_id
  );
  said private.stripe_subscriptions;
  verdict text;
begin
  if known.organization_id <> p_organization_id then
    return 'other_organization';
  elsif (p_answer ->> 'version')::bigint <> coalesce(known.version, 0) then
    return 'ask';
  end if;

  if p_answer is not null and not unknown_to_stripe then
    said := private.read_subscription(p_answer -> 'subscription');
    said.first_payment := private.first_payment_of(p_answer -> 'subscription');
    said.watermark := greatest(created, to_timestamp((p_answer ->> 'readAt')::bigint));
    said.watermark_asked := true;
    verdict := 'newer';
  elsif event_type like 'customer.subscription.%' then
    said := private.read_subscription(object);
    said.first_payment := case when said.status = 'trialing' then 'paid'
      when unknown_to_stripe then 'assumed' else 'unknown' end;
    said.watermark := created;
    said.watermark_asked := false;
    verdict := case when said.plan is null then 'no_seats_sold'
      else private.judge_subscription_event(known, said, created, tiebreak, unknown_to_stripe) end;
  else
    verdict := private.judge_payment_event(known, event_type, object, unknown_to_stripe);
    if verdict in ('paid', 'awaited') then
      perform private.record_first_payment(p_organization_id, p_subscription_id, verdict);
      return 'newer';
    end if;
    return verdict;
  end if;

  if said.plan is null then
    return 'no_seats_sold';
  elsif verdict = 'newer' then
    said.organization_id := p_organization_id;
    said.watermark_tiebreak := coalesce(tiebreak, '');
    said.version := 1;
    said.first_payment := private.later_first_payment(known.first_payment, said.first_payment);
    if private.same_subscription(known, said) and known.first_payment = said.first_payment then
      -- Only the time at which it was said is new: nothing follows from that.
      update private.stripe_subscriptions
      set watermark = greatest(watermark, said.watermark), watermark_asked = said.watermark_asked,
          watermark_tiebreak = said.watermark_tiebreak, version = version + 1
      where stripe_subscription_id = p_subscription_id;
      return 'same';
    end if;
    perform private.record_subscription(said);
  end if;
  return verdict;
end;
$function$;

comment on function private.apply_stripe_fact(uuid,jsonb,text,jsonb) is 'Writes what one event of Stripe''s says of a subscription. Returns newer, same, stale, ask, or why it is none of ours: other_organization, no_seats_sold.';

CREATE OR REPLACE FUNCTION private.book_balances(p_organization_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.billing_changes (
    organization_id, kind, subject, actor, cause, before, after, purchased_seats, seats_used
  )
  select
    o.id, 'organization', o.id, private.current_actor(), private.current_cause(),
    jsonb_build_object('purchased_seats', booked.purchased_seats, 'seats_used', booked.seats_used),
    jsonb_build_object('purchased_seats', o.seat_limit, 'seats_used', o.seats_used),
    o.seat_limit, o.seats_used
  from public.organizations as o
  cross join lateral (
    select b.purchased_seats, b.seats_used
    from public.billing_changes as b
    where b.organization_id = o.id
    order by b.id desc
    limit 1
  ) as booked
  where o.id = any (p_organization_ids)
    and (booked.purchased_seats, booked.seats_used) <> (o.seat_limit, o.seats_used)
  -- The row with the greatest id has to be the one with the last balance.
  for no key update of o;
end;
$function$;

comment on function private.book_balances(uuid[]) is 'Books the balances that no row accounts for: when it shows that two people are one, a seat is free without any change of status.';

CREATE OR REPLACE FUNCTION private.book_organization()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.billing_changes (
    organization_id, kind, subject, actor, cause, before, after, purchased_seats, seats_used
  )
  select new.id, 'organization', new.id, private.current_actor(), private.current_cause(),
    case when tg_op = 'UPDATE'
      then jsonb_build_object('status', old.status, 'deleted', old.deleted_at is not null) end,
    jsonb_build_object('status', new.status, 'deleted', new.deleted_at is not null),
    new.seat_limit, new.seats_used
  where tg_op = 'INSERT'
    or old.status <> new.status
    or (old.deleted_at is null) <> (new.deleted_at is null);
  return null;
end;
$function$;

comment on function private.book_organization() is 'Trigger: books a new organization, its status and its end.';

CREATE OR REPLACE FUNCTION private.book_subscription()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  booked constant text[] := array[
    'stripe_seat_subscription_id', 'status', 'plan', 'seat_billing_period', 'purchased_seats', 'renewal_seats',
    'cancel_at_period_end'
  ];
  was constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  is_now constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  before jsonb := case when tg_op <> 'INSERT' then '{}'::jsonb end;
  after jsonb := case when tg_op <> 'DELETE' then '{}'::jsonb end;
  field text;
begin
  foreach field in array booked loop
    if was -> field is distinct from is_now -> field then
      -- Null stays null: a new row has nothing before, a deleted one nothing after.
      before := before || jsonb_build_object(field, was -> field);
      after := after || jsonb_build_object(field, is_now -> field);
    end if;
  end loop;
  if coalesce(before, after) <> '{}' then
    insert into public.billing_changes (
      organization_id, kind, subject, actor, cause, before, after, purchased_seats, seats_used
    )
    -- seat_limit follows by a trigger that comes after this one.
    select o.id, 'subscription', o.id, private.current_actor(), private.current_cause(),
      before, after, coalesce((is_now ->> 'purchased_seats')::integer, 0), o.seats_used
    from public.organizations as o
    where o.id = (coalesce(is_now, was) ->> 'organization_id')::uuid
    -- The row with the greatest id has to be the one with the last balance.
    for no key update of o;
  end if;
  return null;
end;
$function$;

comment on function private.book_subscription() is 'Trigger: books what changed of a subscription: seats, plan, period, status, cancelling.';

CREATE OR REPLACE FUNCTION private.change_answer(p_change public.seat_changes)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'seatChangeId', p_change.id,
    'state', p_change.state,
    'kind', p_change.kind,
    'seats', p_change.seats,
    'plan', p_change.plan,
    'billingPeriod', p_change.billing_period,
    'effectiveAt', case when p_change.kind = 'renewal' and p_change.state = 'scheduled' then p_change.period_end end,
    'paymentUrl', case when p_change.state = 'awaiting_payment' then p_change.payment_url end,
    'error', p_change.error
  );
$function$;

comment on function private.change_answer(public.seat_changes) is 'A change as clients see it.';

CREATE OR REPLACE FUNCTION private.choose_subscription(p_organization_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  current public.organization_subscriptions := (
    select s from public.organization_subscriptions as s where s.organization_id = p_organization_id
  );
  -- One that gives seats before one that gives none, then the newest. An
  -- organization with free seats alone has none at all.
  known private.stripe_subscriptions := (
    select s from private.stripe_subscriptions as s
    where s.organization_id = p_organization_id
    order by private.seats_of(s) > 0 desc, s.stripe_created_at desc, s.stripe_subscription_id desc
    limit 1
  );
  chosen public.organization_subscriptions := current;
  given integer := private.seats_of(known);
  held public.seat_changes;
begin
  chosen.stripe_seat_subscription_id := known.stripe_subscription_id;
  chosen.stripe_seat_item_id := known.stripe_item_id;
  chosen.status := coalesce(known.status, 'none');
  chosen.plan := known.plan;
  chosen.seat_billing_period := known.billing_period;
  chosen.purchased_seats := coalesce(current.granted_seats, 0);
  chosen.renewal_seats := case
    when current.granted_seats > 0 then current.granted_seats
    when known.stripe_subscription_id is not null then 0
  end;
  if given > 0 then
    held := private.held_change(known);
    chosen.plan := coalesce(held.plan_before, known.plan);
    chosen.purchased_seats := coalesce(held.seats_before, given);
    chosen.renewal_seats := least(given, held.seats, private.seats_to_come(known.stripe_subscription_id));
  end if;
  chosen.current_period_end := known.current_period_end;
  chosen.cancel_at_period_end := coalesce(known.cancel_at_period_end, false);
  chosen.grace_until := case when known.status = 'past_due'
    then known.current_period_start + (select grace_period from private.settings) end;

  if chosen is distinct from current then
    insert into public.organization_subscriptions (
      organization_id, stripe_seat_subscription_id, stripe_seat_item_id, status, plan, seat_billing_period,
      purchased_seats, renewal_seats, current_period_end, cancel_at_period_end, grace_until
    ) values (
      p_organization_id, chosen.stripe_seat_subscription_id, chosen.stripe_seat_item_id, chosen.status, chosen.plan,
      chosen.seat_billing_period, chosen.purchased_seats, chosen.renewal_seats, chosen.current_period_end,
      chosen.cancel_at_period_end, chosen.grace_until
    )
    on conflict (organization_id) do update set
      stripe_seat_subscription_id = excluded.stripe_seat_subscription_id,
      stripe_seat_item_id = excluded.stripe_seat_item_id,
      status = excluded.status,
      plan = excluded.plan,
      seat_billing_period = excluded.seat_billing_period,
      purchased_seats = excluded.purchased_seats,
      renewal_seats = excluded.renewal_seats,
      current_period_end = excluded.current_period_end,
      cancel_at_period_end = excluded.cancel_at_period_end,
      grace_until = excluded.grace_until;
  end if;
end;
$function$;

comment on function private.choose_subscription(uuid) is 'Makes the organization''s current subscription the best of those that Stripe has told us of. An older one never replaces one that is alive.';

CREATE OR REPLACE FUNCTION private.clerk_invitation(p_data jsonb, p_at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.clerk_invitation(jsonb,timestamp with time zone) is 'The data of an organizationInvitation event as private.record_invitation() takes it.';

CREATE OR REPLACE FUNCTION private.clerk_limit_of(p_organization_id uuid, p_seats integer)
 RETURNS integer
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  seatless text[] := (select seatless_roles from private.settings);
begin
  if seatless = '{}' then
    return greatest(1, p_seats);
  end if;
  return greatest(1, p_seats + (
    select count(*) from public.organization_members as m
    where m.organization_id = p_organization_id and m.status = 'active' and not m.holds_seat
  ) + (
    select count(*) from public.organization_invitations as i
    where i.organization_id = p_organization_id and i.status in ('reserved', 'pending', 'accepted')
      and i.role = any (seatless)
  ));
end;
$function$;

comment on function private.clerk_limit_of(uuid,integer) is 'The limit that Clerk has to have when so many seats can be used: those, and the people who need none (Clerk counts everybody, pending invitations too); at least 1, the owner (Clerk: max_allowed_memberships, 0 is unlimited).';

CREATE OR REPLACE FUNCTION private.clerk_membership(p_data jsonb, p_event_type text, p_at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.clerk_membership(jsonb,text,timestamp with time zone) is 'The data of an organizationMembership event as private.record_membership() takes it.';

CREATE OR REPLACE FUNCTION private.clerk_time(p_clerk_time jsonb)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  given numeric := case when jsonb_typeof(p_clerk_time) = 'number' then (p_clerk_time #>> '{}')::numeric end;
begin
  if given not between 0 and 8640000000000000 then
    return null;
  end if;
  -- Clerk documents milliseconds and publishes examples in seconds.
  return to_timestamp(case when given > 100000000000 then given / 1000 else given end);
end;
$function$;

comment on function private.clerk_time(jsonb) is 'A time of Clerk''s, in milliseconds or seconds since 1970; null when it is no number, or further away than a date of JavaScript''s can be.';

CREATE OR REPLACE FUNCTION private.cost_of_more(p_organization_id uuid, p_more integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'seats', p_more,
    'plan', fitting.id,
    'billingPeriod', s.seat_billing_period,
    'amount', private.cost_of_seats(fitting.id, s.seat_billing_period, s.renewal_seats + p_more)
      - private.cost_of_seats(s.plan, s.seat_billing_period, s.renewal_seats),
    'currency', price.currency
  )
  from public.organization_subscriptions as s
  join public.plans as current on current.id = s.plan
  join public.plans as fitting
    on s.renewal_seats + p_more between fitting.min_seats and fitting.max_seats and fitting.rank >= current.rank
  join public.plan_prices as price on (price.plan, price.billing_period) = (fitting.id, s.seat_billing_period)
  where s.organization_id = p_organization_id
  order by fitting.rank
  limit 1;
$function$;

comment on function private.cost_of_more(uuid,integer) is 'What so many more seats would add to each invoice: { seats, plan: the one they fit in, billingPeriod, amount in the smallest unit, currency }; null without a subscription or when no plan has so many.';

CREATE OR REPLACE FUNCTION private.cost_of_seats(p_plan text, p_billing_period text, p_seats integer)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select price.base_amount + price.seat_amount::bigint * greatest(0, p_seats - plan.included_seats)
  from public.plan_prices as price
  join public.plans as plan on plan.id = price.plan
  where (price.plan, price.billing_period) = (p_plan, p_billing_period);
$function$;

comment on function private.cost_of_seats(text,text,integer) is 'What seats cost for a billing period, in the currency''s smallest unit; null for an unknown price.';

CREATE OR REPLACE FUNCTION private.count_join_attempt(p_clerk_user_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.count_join_attempt(text) is 'Counts a try of a code, right or wrong. Raises too_many_attempts (429) past ten an hour, with the seconds to wait.';

CREATE OR REPLACE FUNCTION private.count_seats(p_kind text, p_organization_id uuid, p_seats integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if p_seats <> 0 then
    update public.organizations set
      members_count = members_count + case p_kind when 'member' then p_seats else 0 end,
      pending_invitations_count = pending_invitations_count + case p_kind when 'invitation' then p_seats else 0 end,
      updated_at = clock_timestamp()
    where id = p_organization_id;
  end if;
end;
$function$;

comment on function private.count_seats(text,uuid,integer) is 'Adds to members_count (p_kind member) or pending_invitations_count (invitation).';

CREATE OR REPLACE FUNCTION private.counted_seats(p_organization_id uuid, OUT members integer, OUT invitations integer)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select
    (select count(*) from public.organization_members as m
     where m.organization_id = p_organization_id and m.holds_seat)::integer,
    (select count(*) from public.organization_invitations as i
     where i.organization_id = p_organization_id and i.holds_seat)::integer;
$function$;

comment on function private.counted_seats(uuid) is 'Members and seat-holding invitations, counted afresh.';

CREATE OR REPLACE FUNCTION private.current_actor()
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce(nullif(current_setting('seatkeeper.actor', true), ''), session_user::text);
end;
$function$;

comment on function private.current_actor() is 'Who acts in this transaction, as private.set_cause() said it.';

CREATE OR REPLACE FUNCTION private.current_cause()
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce(nullif(current_setting('seatkeeper.cause', true), ''), 'sql');
end;
$function$;

comment on function private.current_cause() is 'What this transaction is for, as private.set_cause() said it.';

CREATE OR REPLACE FUNCTION private.default_organization_status()
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select default_organization_status from private.settings;
$function$;

comment on function private.default_organization_status() is 'Status of an organization when Clerk first reports it.';

CREATE OR REPLACE FUNCTION private.drift(p_kind text, p_id text, p_was text, p_is text)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_array(jsonb_build_object('kind', p_kind, 'id', p_id, 'was', p_was, 'is', p_is));
$function$;

comment on function private.drift(text,text,text,text) is 'One difference that was found, as a list of one.';

CREATE OR REPLACE FUNCTION private.due_organizations()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  -- Stripe has been asked for a change and how it ended is not known here. The
  -- minute is for the command itself, which settles nearly all of them.
  select organization_id
  from public.seat_changes
  where kind <> 'checkout' and state in ('open', 'awaiting_payment', 'stuck')
    and updated_at < now() - interval '1 minute'
  union
  -- A paid period is over, and Stripe has not been heard to begin another: that
  -- ends scheduled decreases and cancelled subscriptions.
  select organization_id
  from public.organization_subscriptions
  where status in ('active', 'trialing', 'past_due') and current_period_end <= now()
  union
  -- A grace is over: once, whether the payment is still missing is asked for.
  select s.organization_id
  from public.organization_subscriptions as s
  join private.organization_syncs as q on q.organization_id = s.organization_id
  where s.grace_until <= now() and q.attempted_at < s.grace_until
  union
  -- Clerk has been asked to add someone, and whether it did is not known here.
  select organization_id from public.organization_invitations where held_until <= now()
  union
  select organization_id from public.organization_members where held_until <= now()
  union
  -- Clerk has not been told the limit, and nobody is telling it.
  select o.id
  from public.organizations as o
  join private.organization_syncs as q on q.organization_id = o.id
  where o.deleted_at is null and o.clerk_limit_error is null
    and o.clerk_limit_pushed is distinct from o.clerk_limit
    and q.limit_push_until <= now();
$function$;

comment on function private.due_organizations() is 'The organizations that have to be compared before those that have merely waited longest.';

CREATE OR REPLACE FUNCTION private.end_organization(p_organization_id uuid, p_deleted_at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.end_organization(uuid,timestamp with time zone) is 'Clerk has deleted the organization: everyone''s seat is free. Clerk does not document whether it also sends the membership events.';

comment on function private.end_unlisted_invitations(uuid,jsonb,jsonb,timestamp with time zone) is 'Ends our invitations that Clerk does not list as pending; returns which.';

CREATE OR REPLACE FUNCTION private.end_unlisted_invitations(p_organization_id uuid, p_invitations jsonb, p_memberships jsonb, p_started_at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.end_unlisted_members(uuid,jsonb,timestamp with time zone) is 'Ends our active members whom Clerk does not list; returns which.';

CREATE OR REPLACE FUNCTION private.end_unlisted_members(p_organization_id uuid, p_memberships jsonb, p_started_at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.expire_invitations(p_organization_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- An update that meets no row has its triggers called all the same.
  if exists (
    select from public.organization_invitations
    where organization_id = p_organization_id and status = 'pending' and expires_at <= clock_timestamp()
  ) then
    update public.organization_invitations set status = 'expired'
    where organization_id = p_organization_id and status = 'pending' and expires_at <= clock_timestamp();
  end if;
end;
$function$;

comment on function private.expire_invitations(uuid) is 'Ends the invitations whose time is over. Clerk sends no event for it (Clerk: organization invitations).';

CREATE OR REPLACE FUNCTION private.first_payment_of(p_subscription jsonb)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  invoice constant jsonb := p_subscription -> 'latest_invoice';
begin
  return case
    when p_subscription ->> 'status' = 'trialing' then 'paid'
    when jsonb_typeof(invoice) = 'string' then 'unknown'
    when jsonb_typeof(invoice) is distinct from 'object' then 'paid'
    when private.is_for_a_period(invoice) and invoice ->> 'status' = 'paid' then 'paid'
    when invoice ->> 'billing_reason' = 'subscription_create' then 'awaited'
    -- One in between, or of a later period: by itself it says nothing of the first.
    else 'assumed'
  end;
end;
$function$;

comment on function private.first_payment_of(jsonb) is 'What a subscription with its latest invoice expanded says of the first payment. With a delayed payment method Stripe calls it active before it is paid (Stripe: Checkout, delayed notification payment methods).';

CREATE OR REPLACE FUNCTION private.follow_purchased_seats()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  id_now uuid := case when tg_op = 'DELETE' then old.organization_id else new.organization_id end;
  seats integer := case when tg_op = 'DELETE' then 0 else new.purchased_seats end;
  plan_now text := case when tg_op <> 'DELETE' then new.plan end;
  limit_now integer;
begin
  if tg_op = 'UPDATE' and new.organization_id <> old.organization_id then
    perform private.refuse(409, 'subscription_moved', 'A subscription cannot move to another organization.');
  end if;
  limit_now := private.clerk_limit_of(id_now, case when tg_op = 'DELETE' then 0 else least(seats, new.renewal_seats) end);
  update public.organizations
  set seat_limit = seats, subscription_plan = plan_now, clerk_limit = limit_now,
      clerk_limit_error = case when clerk_limit = limit_now then clerk_limit_error end
  where id = id_now and (seat_limit, subscription_plan, clerk_limit) is distinct from (seats, plan_now, limit_now);
  return null;
end;
$function$;

comment on function private.follow_purchased_seats() is 'Trigger: the one writer of organizations.seat_limit, which is always organization_subscriptions.purchased_seats, and of what else follows the subscription: plan and Clerk''s limit.';

CREATE OR REPLACE FUNCTION private.forget_old_records(p_limit integer)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  delete from private.webhook_events
  where (provider, event_id) in (
    select provider, event_id from private.webhook_events
    where received_at < now() - interval '90 days'
    order by received_at
    limit p_limit
    for update skip locked
  );
  delete from private.sync_runs
  where id in (
    select id from private.sync_runs
    where finished_at < now() - interval '90 days'
    order by finished_at
    limit p_limit
    for update skip locked
  );
$function$;

comment on function private.forget_old_records(integer) is 'Removes what is older than 90 days from the ledger of events and from the runs. Stripe can be asked for an event for 30 days (Stripe: Events), so none comes that late.';

CREATE OR REPLACE FUNCTION private.guard_counts()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- The counting triggers run one level deeper. Anyone else may only write what
  -- a fresh count gives, which is how sync_organization_counts() repairs.
  if pg_trigger_depth() > 1 then
    return new;
  end if;
  if (
    tg_op = 'INSERT'
    or (new.members_count, new.pending_invitations_count) <> (old.members_count, old.pending_invitations_count)
  ) and (new.members_count, new.pending_invitations_count) <> (
    select m, i from private.counted_seats(new.id) as c (m, i)
  ) then
    perform private.refuse(403, 'derived_column',
      'members_count and pending_invitations_count are counted and cannot be written.',
      jsonb_build_object('columns', array['members_count', 'pending_invitations_count']));
  end if;
  return new;
end;
$function$;

comment on function private.guard_counts() is 'Trigger: refuses counts that are not what a fresh count gives, whoever but the counting triggers writes them.';

CREATE OR REPLACE FUNCTION private.guard_seat_limit()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  purchased integer := coalesce(
    (select s.purchased_seats from public.organization_subscriptions as s where s.organization_id = new.id), 0
  );
begin
  if new.seat_limit <> purchased then
    perform private.refuse(403, 'derived_column', 'seat_limit follows purchased_seats and cannot be written.',
      jsonb_build_object('column', 'seat_limit', 'value', new.seat_limit, 'derived', purchased));
  end if;
  return new;
end;
$function$;

comment on function private.guard_seat_limit() is 'Trigger: refuses a seat limit that is not the purchased seats, whoever writes it.';

CREATE OR REPLACE FUNCTION private.health_findings()
 RETURNS TABLE(code text, organization_id uuid, since timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select 'organizations_unswept', id, coalesce(last_synced_at, created_at)
  from public.organizations
  where deleted_at is null and coalesce(last_synced_at, created_at) < now() - interval '1 day'
  union all
  select case state when 'stuck' then 'changes_stuck' else 'changes_overdue' end, organization_id, updated_at
  from public.seat_changes
  where state in ('open', 'awaiting_payment', 'scheduled', 'stuck') and kind <> 'checkout'
    and case state
      when 'stuck' then true
      when 'open' then updated_at < now() - private.settling_time()
      -- Stripe gives a pending update 23 hours (Stripe: pending updates).
      when 'awaiting_payment' then updated_at < now() - interval '1 day'
      else period_end < now() - interval '1 day'
    end
  union all
  select 'holds_lapsed', organization_id, held_until
  from public.organization_invitations
  where held_until < now() - interval '1 hour'
  union all
  select 'holds_lapsed', organization_id, held_until
  from public.organization_members
  where held_until < now() - interval '1 hour'
  union all
  select 'clerk_limit_refused', id, updated_at
  from public.organizations
  where clerk_limit_error is not null and deleted_at is null
  union all
  -- Before the first purchase there is no capacity to exceed; after the last one
  -- nobody is thrown out.
  select case when o.seat_limit > 0 then 'over_capacity' else 'over_capacity_unpaid' end, o.id, o.updated_at
  from public.organizations as o
  join public.organization_subscriptions as s on s.organization_id = o.id
  where o.over_capacity and o.deleted_at is null and s.status <> 'none'
  union all
  select 'deleted_but_charged', o.id, o.deleted_at
  from public.organizations as o
  where o.deleted_at is not null and exists (
    select from private.stripe_subscriptions as s
    where s.organization_id = o.id and s.status in ('active', 'trialing', 'past_due') and not s.cancel_at_period_end
  )
  union all
  select 'several_subscriptions', s.organization_id, max(s.stripe_created_at)
  from private.stripe_subscriptions as s
  where s.status in ('active', 'trialing', 'past_due') and not s.cancel_at_period_end
  group by s.organization_id
  having count(*) > 1;
$function$;

comment on function private.health_findings() is 'What is wrong with single organizations, and since when: one row each.';

CREATE OR REPLACE FUNCTION private.held_change(p_known private.stripe_subscriptions)
 RETURNS public.seat_changes
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select c
    from public.seat_changes as c
    where c.stripe_subscription_id = p_known.stripe_subscription_id
      and c.kind = 'renewal'
      and c.period_end = p_known.current_period_end
      and private.seats_of(p_known) > 0
      and (
        c.state in ('open', 'stuck') and p_known.quantity in (c.seats, c.renewal_seats_before)
        or c.state = 'scheduled' and (p_known.quantity, p_known.plan) = (c.seats, c.plan)
      )
    order by c.created_at desc
    limit 1
  );
end;
$function$;

comment on function private.held_change(private.stripe_subscriptions) is 'The renewal change of ours that explains the quantity in Stripe, all null when none does: until its period ends, the seats and the plan that are paid for stay. A quantity that somebody else has set is no such change, and counts at once.';

CREATE OR REPLACE FUNCTION private.hold_time()
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select interval '30 seconds';
$function$;

comment on function private.hold_time() is 'How long a command may ask Clerk about a seat that it holds. A worker that takes longer holds it anew.';

CREATE OR REPLACE FUNCTION private.holds_seat(p_invitation public.organization_invitations)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return p_invitation.status in ('reserved', 'pending', 'accepted')
    and private.takes_seat(p_invitation.role)
    and not exists (
      select from public.organization_members as m
      where m.organization_id = p_invitation.organization_id
        and m.status = 'active'
        and (m.email = p_invitation.email or m.clerk_user_id = p_invitation.clerk_user_id)
    )
    and not exists (
      select from public.organization_invitations as newer
      where newer.organization_id = p_invitation.organization_id
        and newer.email = p_invitation.email
        and newer.id <> p_invitation.id
        -- Clerk invites nobody twice at once: the older one has ended, and its
        -- end is still on the way, even when the newer one has led to a member.
        and newer.status in ('reserved', 'pending', 'accepted', 'joined')
        and (coalesce(newer.clerk_created_at, newer.created_at), newer.id)
          > (coalesce(p_invitation.clerk_created_at, p_invitation.created_at), p_invitation.id)
    );
end;
$function$;

comment on function private.holds_seat(public.organization_invitations) is 'Whether an invitation counts as a seat: one person holds one, whether as a member or through the newest live invitation.';

comment on function private.invitation_after(public.organizations,public.organization_invitations,jsonb,text) is 'The row of an invitation, as it was or null for a new one, once it has taken in what Clerk says: { id, userId, email, role, invitedBy, createdAt, updatedAt, expiresAt } and its state. Forward only. The organization is locked by the caller.';

CREATE OR REPLACE FUNCTION private.invitation_after(p_organization public.organizations, p_before public.organization_invitations, p_invitation jsonb, p_status text)
 RETURNS public.organization_invitations
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.invitation_change(public.organization_invitations,public.organization_invitations) is 'What has changed of an invitation: null before for a new one, null after for a deleted one.';

CREATE OR REPLACE FUNCTION private.invitation_change(p_before public.organization_invitations, p_after public.organization_invitations)
 RETURNS private.holder_change
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return row(
    coalesce(p_after.id, p_before.id),
    coalesce(p_after.organization_id, p_before.organization_id),
    array[p_before.email, p_after.email],
    null,
    coalesce(p_after.holds_seat::integer, 0) - coalesce(p_before.holds_seat::integer, 0),
    p_before.holds_seat is false and not private.takes_seat(p_before.role)
      or p_after.holds_seat is false and not private.takes_seat(p_after.role),
    case when p_before.id is not null then
      jsonb_build_object('status', p_before.status, 'role', p_before.role)
    end,
    case when p_after.id is not null then
      jsonb_build_object('status', p_after.status, 'role', p_after.role)
    end
  )::private.holder_change;
end;
$function$;

CREATE OR REPLACE FUNCTION private.invitations_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  changes private.holder_change[];
begin
  case tg_op
    when 'INSERT' then
      changes := array(select private.invitation_change(null, a) from rows_after as a);
    when 'DELETE' then
      changes := array(select private.invitation_change(b, null) from rows_before as b);
    else
      changes := array(
        select private.invitation_change(b, a)
        -- One that has moved has left one organization and come to another.
        from rows_before as b
        full join rows_after as a on (a.id, a.organization_id) = (b.id, b.organization_id)
        -- Most of the updates of a long run only hold seats for longer.
        where (a.email, a.clerk_user_id, a.role, a.status, a.holds_seat, a.clerk_created_at)
          is distinct from (b.email, b.clerk_user_id, b.role, b.status, b.holds_seat, b.clerk_created_at)
      );
  end case;
  if changes <> '{}' then
    perform private.take_in_holders('invitation', changes);
  end if;
  return null;
end;
$function$;

comment on function private.invitations_changed() is 'Trigger: private.take_in_holders() for the invitations of a statement.';

CREATE OR REPLACE FUNCTION private.is_for_a_period(p_invoice jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce(p_invoice ->> 'billing_reason' in ('subscription_create', 'subscription_cycle'), false);
end;
$function$;

comment on function private.is_for_a_period(jsonb) is 'Whether an invoice is for a whole period of its subscription. One in between, for a change or made by hand, can be paid, even with nothing, while the first one is open.';

CREATE OR REPLACE FUNCTION private.is_sound(p_subscription private.stripe_subscriptions)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return p_subscription.quantity >= 0
    and p_subscription.first_payment in ('unknown', 'assumed', 'awaited', 'paid');
end;
$function$;

comment on function private.is_sound(private.stripe_subscriptions) is 'What holds in each row of stripe_subscriptions: see private.is_sound(public.organizations).';

CREATE OR REPLACE FUNCTION private.is_sound(p_event private.webhook_events)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return p_event.provider in ('stripe', 'clerk')
    and length(p_event.event_id) between 1 and 255
    and length(p_event.type) between 1 and 255
    and length(p_event.outcome) between 1 and 64;
end;
$function$;

comment on function private.is_sound(private.webhook_events) is 'What holds in each row of webhook_events: see private.is_sound(public.organizations).';

CREATE OR REPLACE FUNCTION private.is_sound(p_invitation public.organization_invitations)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return length(p_invitation.clerk_invitation_id) between 1 and 255
    and length(p_invitation.clerk_user_id) between 1 and 255
    and p_invitation.email is not distinct from private.normalize_email(p_invitation.email)
    and length(p_invitation.role) between 1 and 128
    and length(p_invitation.invited_by) <= 255
    and p_invitation.status in ('reserved', 'pending', 'accepted', 'joined', 'revoked', 'expired');
end;
$function$;

comment on function private.is_sound(public.organization_invitations) is 'What holds in each row of organization_invitations: see private.is_sound(public.organizations).';

CREATE OR REPLACE FUNCTION private.is_sound(p_member public.organization_members)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return length(p_member.clerk_membership_id) between 1 and 255
    and length(p_member.clerk_user_id) between 1 and 255
    and p_member.email is not distinct from private.normalize_email(p_member.email)
    and length(p_member.role) between 1 and 128
    and p_member.status in ('requested', 'active', 'removed', 'rejected');
end;
$function$;

comment on function private.is_sound(public.organization_members) is 'What holds in each row of organization_members: see private.is_sound(public.organizations).';

CREATE OR REPLACE FUNCTION private.is_sound(p_subscription public.organization_subscriptions)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return length(p_subscription.stripe_customer_id) between 1 and 255
    and p_subscription.status in (
      'none', 'incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'canceled', 'unpaid', 'paused'
    )
    and p_subscription.seat_billing_period in ('monthly', 'yearly')
    and least(p_subscription.purchased_seats, p_subscription.renewal_seats, p_subscription.granted_seats) >= 0;
end;
$function$;

comment on function private.is_sound(public.organization_subscriptions) is 'What holds in each row of organization_subscriptions: see private.is_sound(public.organizations).';

CREATE OR REPLACE FUNCTION private.is_sound(p_organization public.organizations)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.is_sound(public.organizations) is 'What holds in each row of organizations. A function of the whole row, compiled once a connection: Postgres reads the terms of a constraint from their text, and plans them, anew for each statement that writes.';

comment on function private.judge_payment_event(private.stripe_subscriptions,text,jsonb,boolean) is 'What to do with a session or invoice event: note the first payment as paid or awaited, nothing (same), or ask (it says that the subscription has changed, but not how).';

CREATE OR REPLACE FUNCTION private.judge_payment_event(p_known private.stripe_subscriptions, p_type text, p_object jsonb, p_stripe_does_not_know boolean)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case
    when p_type = 'checkout.session.completed' and p_object ->> 'payment_status' = 'unpaid' then
      case when p_known.status is not null or p_stripe_does_not_know then 'awaited' else 'ask' end
    when p_type in ('checkout.session.completed', 'checkout.session.async_payment_succeeded', 'invoice.paid') then
      case
        when not p_stripe_does_not_know and coalesce(p_known.status, '') not in ('active', 'trialing') then 'ask'
        when p_known.first_payment = 'paid' then 'same'
        when p_type <> 'invoice.paid' or private.is_for_a_period(p_object) then 'paid'
        when p_stripe_does_not_know then 'same'
        else 'ask'
      end
    when p_stripe_does_not_know or p_known.status not in ('active', 'trialing') then 'same'
    else 'ask'
  end;
end;
$function$;

CREATE OR REPLACE FUNCTION private.judge_person(p_organization_id uuid, p_email text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.judge_person(uuid,text) is 'Whether somebody can be invited, room aside: reserved, already_member or already_invited.';

comment on function private.judge_subscription_event(private.stripe_subscriptions,private.stripe_subscriptions,timestamp with time zone,text,boolean) is 'What to do with the state in a subscription event: newer (record it), same, stale, or ask (its place in time cannot be told from whole seconds, or it is not known to be paid: ask Stripe for the object).';

CREATE OR REPLACE FUNCTION private.judge_subscription_event(p_known private.stripe_subscriptions, p_said private.stripe_subscriptions, p_created timestamp with time zone, p_tiebreak text, p_stripe_does_not_know boolean)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case
    when p_known.stripe_subscription_id is null or p_created > p_known.watermark then
      case
        -- Active is not yet paid: the first time, Stripe is asked.
        when p_said.status not in ('active', 'past_due')
          or p_known.first_payment = 'paid'
          or p_stripe_does_not_know
        then 'newer'
        else 'ask'
      end
    -- The tie of a second is between events, whether or not they say the same:
    -- the one that wins it must be known, for the next to be measured by.
    when private.same_subscription(p_known, p_said) then
      case when p_created = p_known.watermark and p_tiebreak > p_known.watermark_tiebreak then 'newer' else 'same' end
    when p_created < p_known.watermark and not p_known.watermark_asked then 'stale'
    when not p_stripe_does_not_know then 'ask'
    when p_created = p_known.watermark and p_tiebreak > p_known.watermark_tiebreak then 'newer'
    else 'stale'
  end;
end;
$function$;

CREATE OR REPLACE FUNCTION private.later_first_payment(p_one text, p_other text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case
    when 'paid' in (p_one, p_other) then 'paid'
    when 'awaited' in (p_one, p_other) then 'awaited'
    when 'assumed' in (p_one, p_other) then 'assumed'
    else 'unknown'
  end;
end;
$function$;

comment on function private.later_first_payment(text,text) is 'Which of two findings about the first payment stands: evidence beats assumption, paid beats all.';

CREATE OR REPLACE FUNCTION private.later_invitation_status(p_one text, p_other text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  latest_first constant text[] := array['joined', 'accepted', 'revoked', 'expired', 'pending', 'reserved'];
begin
  return latest_first[least(array_position(latest_first, p_one), array_position(latest_first, p_other))];
end;
$function$;

comment on function private.later_invitation_status(text,text) is 'The later of two states of an invitation. Accepted beats an expiry that our clock had seen first.';

CREATE OR REPLACE FUNCTION private.lease_organization(p_organization_id uuid, p_lease_seconds integer)
 RETURNS public.sync_lease
 LANGUAGE sql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.lease_organization(uuid,integer) is 'Leases an organization whose row in the queue the caller has locked.';

CREATE OR REPLACE FUNCTION private.limit_push_due(p_organization public.organizations)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return p_organization.deleted_at is null
    and p_organization.clerk_limit_pushed is distinct from p_organization.clerk_limit
    and p_organization.clerk_limit_error is null;
end;
$function$;

comment on function private.limit_push_due(public.organizations) is 'Whether Clerk has to be told the limit now. One that it refused waits for the next sync.';

CREATE OR REPLACE FUNCTION private.lock_organization(p_organization_id uuid)
 RETURNS public.organizations
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  organization public.organizations := private.organization_in_turn(p_organization_id);
begin
  if organization.id is null then
    perform private.refuse(404, 'organization_not_found', 'There is no such organization.');
  end if;
  return organization;
end;
$function$;

comment on function private.lock_organization(uuid) is 'private.organization_in_turn() of one that there is: buying, taking and freeing seats begin with it. Raises organization_not_found (404).';

CREATE OR REPLACE FUNCTION private.lock_request(p_member_id uuid, p_clerk_org_id text)
 RETURNS public.organization_members
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.lock_request(uuid,text) is 'A member, with the organization locked; of the organization p_clerk_org_id unless that is null. Raises member_not_found (404).';

CREATE OR REPLACE FUNCTION private.mark_due_organizations(p_limit integer)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  update private.organization_syncs set due = true
  where organization_id in (
    select organization_id from private.organization_syncs
    where not due and organization_id in (select private.due_organizations())
    order by attempted_at
    limit p_limit
    for update skip locked
  );
$function$;

comment on function private.mark_due_organizations(integer) is 'Lets p_limit organizations at the most come first in the queue: if all of them keep failing, a sweep still has time for the others.';

comment on function private.member_change(public.organization_members,public.organization_members) is 'What has changed of a member: null before for a new one, null after for a deleted one.';

CREATE OR REPLACE FUNCTION private.member_change(p_before public.organization_members, p_after public.organization_members)
 RETURNS private.holder_change
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return row(
    coalesce(p_after.id, p_before.id),
    coalesce(p_after.organization_id, p_before.organization_id),
    array[p_before.email, p_after.email],
    array[p_before.clerk_user_id, p_after.clerk_user_id],
    coalesce(p_after.holds_seat::integer, 0) - coalesce(p_before.holds_seat::integer, 0),
    p_before.holds_seat is false and not private.takes_seat(p_before.role)
      or p_after.holds_seat is false and not private.takes_seat(p_after.role),
    case when p_before.id is not null then
      jsonb_build_object('status', p_before.status, 'role', p_before.role)
    end,
    case when p_after.id is not null then
      jsonb_build_object('status', p_after.status, 'role', p_after.role)
    end
  )::private.holder_change;
end;
$function$;

CREATE OR REPLACE FUNCTION private.members_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  changes private.holder_change[];
begin
  case tg_op
    when 'INSERT' then
      changes := array(select private.member_change(null, a) from rows_after as a);
    when 'DELETE' then
      changes := array(select private.member_change(b, null) from rows_before as b);
    else
      changes := array(
        select private.member_change(b, a)
        -- Who has moved has left one organization and come to another.
        from rows_before as b
        full join rows_after as a on (a.id, a.organization_id) = (b.id, b.organization_id)
        where (a.email, a.clerk_user_id, a.role, a.status, a.holds_seat)
          is distinct from (b.email, b.clerk_user_id, b.role, b.status, b.holds_seat)
      );
  end case;
  if changes <> '{}' then
    perform private.take_in_holders('member', changes);
  end if;
  return null;
end;
$function$;

comment on function private.members_changed() is 'Trigger: private.take_in_holders() for the members of a statement.';

CREATE OR REPLACE FUNCTION private.my_administered_organization_ids()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select organization_id
  from public.organization_members
  where clerk_user_id = (select auth.jwt() ->> 'sub') and status = 'active' and role = 'org:admin';
$function$;

comment on function private.my_administered_organization_ids() is 'The organizations that the caller of the Data API is an admin of. Definer: see private.my_organization_ids().';

grant execute on function private.my_administered_organization_ids() to authenticated;

CREATE OR REPLACE FUNCTION private.my_organization_ids()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select organization_id
  from public.organization_members
  where clerk_user_id = (select auth.jwt() ->> 'sub') and status = 'active';
$function$;

comment on function private.my_organization_ids() is 'The organizations that the caller of the Data API is an active member of, by the sub of the Clerk token. Definer: the policy on organization_members would otherwise ask itself.';

grant execute on function private.my_organization_ids() to authenticated;

CREATE OR REPLACE FUNCTION private.new_join_code()
 RETURNS text
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  -- 48 random bits of a version-4 UUID: short enough to type, too many to guess.
  select upper(left(replace(gen_random_uuid()::text, '-', ''), 12));
$function$;

comment on function private.new_join_code() is 'A new code that people ask to join with: 12 characters, 0-9 and A-F.';

CREATE OR REPLACE FUNCTION private.normalize_email(p_email text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return nullif(rtrim(left(lower(btrim(p_email)), 320)), '');
end;
$function$;

comment on function private.normalize_email(text) is 'How an e-mail address is stored and compared: trimmed, lower case, null when empty.';

CREATE OR REPLACE FUNCTION private.organization_in_turn(p_organization_id uuid)
 RETURNS public.organizations
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- A queue before the row. Whenever a row has been written, everybody who waits for
  -- it is woken, looks, and waits for its new version; here the next one is woken.
  perform pg_advisory_xact_lock(hashtextextended(p_organization_id::text, 0));
  -- No key update: it waits for its like, and not for the foreign keys' key share.
  return (select o from public.organizations as o where o.id = p_organization_id for no key update);
end;
$function$;

comment on function private.organization_in_turn(uuid) is 'The one lock that decides: an organization, locked until the transaction ends; null when there is none. Every function that writes for an organization begins with it: one that had written already, and only then waited for its turn, could wait for somebody who waits for its row.';

CREATE OR REPLACE FUNCTION private.organization_of_customer(p_object jsonb, p_subscription_id text)
 RETURNS public.organizations
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  named_id uuid := private.to_uuid(coalesce(
    p_object ->> 'client_reference_id',
    p_object #>> '{metadata,organization_id}',
    p_object #>> '{parent,subscription_details,metadata,organization_id}'
  ));
  tied_id uuid := (
    select organization_id from public.organization_subscriptions
    where stripe_customer_id = private.stripe_id(p_object -> 'customer')
  );
begin
  -- The customer is what we have tied to the organization ourselves; an id that
  -- travelled with the event must agree with it, unless the subscription is known:
  -- its metadata can be edited at any time.
  if tied_id <> named_id then
    tied_id := (
      select organization_id from private.stripe_subscriptions
      where stripe_subscription_id = p_subscription_id and organization_id = tied_id
    );
  end if;
  if tied_id is not null then
    return private.organization_in_turn(tied_id);
  end if;
  return null;
end;
$function$;

comment on function private.organization_of_customer(jsonb,text) is 'The organization, locked, whose Stripe customer an event''s object names; all null when there is none or when the ids that travelled with it name another, unless its subscription is known to be this one''s.';

CREATE OR REPLACE FUNCTION private.prepare_move(p_organization_id uuid, p_from_id uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select public.sync_organization_counts(id) from public.organizations
  where id = p_from_id and id <> p_organization_id;
$function$;

comment on function private.prepare_move(uuid,uuid) is 'Locks the organization that a row has got into by mistake, before the row as a sync of that one does, and counts it, since the row is to be counted out of it.';

CREATE OR REPLACE FUNCTION private.price_of(p_plan text, p_billing_period text, p_seats integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'plan', price.plan, 'billingPeriod', price.billing_period, 'seats', p_seats, 'lookupKey', price.lookup_key,
    'currency', price.currency, 'baseAmount', price.base_amount, 'seatAmount', price.seat_amount,
    'includedSeats', plan.included_seats
  )
  from public.plan_prices as price
  join public.plans as plan on plan.id = price.plan
  where (price.plan, price.billing_period) = (p_plan, p_billing_period);
$function$;

comment on function private.price_of(text,text,integer) is 'A price with a number of seats, amounts in the currency''s smallest unit.';

CREATE OR REPLACE FUNCTION private.queue_organization_for_sync()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into private.organization_syncs (organization_id) values (new.id);
  return null;
end;
$function$;

comment on function private.queue_organization_for_sync() is 'Trigger: puts a new organization into the queue of the sweep.';

CREATE OR REPLACE FUNCTION private.read_subscription(p_subscription jsonb)
 RETURNS private.stripe_subscriptions
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  items constant jsonb := p_subscription #> '{items,data}';
  item jsonb;
  price public.plan_prices;
  known private.stripe_subscriptions;
  state private.stripe_subscriptions;
begin
  for n in 0 .. coalesce(jsonb_array_length(items), 0) - 1 loop
    item := items -> n;
    price := (select p from public.plan_prices as p where p.lookup_key = item #>> '{price,lookup_key}');
    exit when price.plan is not null;
  end loop;
  state.plan := price.plan;
  -- A lookup key moves on when a price is replaced; subscribers stay behind on
  -- a price without one.
  if state.plan is null then
    known := (
      select s from private.stripe_subscriptions as s where s.stripe_subscription_id = p_subscription ->> 'id'
    );
    item := (select i from jsonb_array_elements(items) as i where i ->> 'id' = known.stripe_item_id limit 1);
    state.plan := known.plan;
  end if;
  if state.plan is null then
    item := items -> 0;
    state.plan := (
      select id from public.plans where id = p_subscription #>> '{metadata,plan}' and item is not null
    );
  end if;
  if state.plan is null then
    return null;
  end if;

  state.stripe_subscription_id := p_subscription ->> 'id';
  state.stripe_item_id := item ->> 'id';
  -- Without the item that sold them it may go on for something else, but for seats it is over.
  state.status := case when item is null then 'canceled' else p_subscription ->> 'status' end;
  state.billing_period := coalesce(price.billing_period, case item #>> '{price,recurring,interval}'
    when 'month' then 'monthly' when 'year' then 'yearly' end, known.billing_period);
  state.quantity := coalesce((item ->> 'quantity')::integer, 0);
  -- On the item; in events of an API before 2025-03-31 on the subscription (Stripe: API changelog).
  state.current_period_start := to_timestamp(
    coalesce(item ->> 'current_period_start', p_subscription ->> 'current_period_start')::bigint);
  state.current_period_end := to_timestamp(
    coalesce(item ->> 'current_period_end', p_subscription ->> 'current_period_end')::bigint);
  state.pending_update := coalesce(jsonb_typeof(p_subscription -> 'pending_update') = 'object', false);
  state.cancel_at_period_end := coalesce((p_subscription ->> 'cancel_at_period_end')::boolean, false)
    or coalesce(to_timestamp((p_subscription ->> 'cancel_at')::bigint) = state.current_period_end, false);
  state.stripe_created_at := to_timestamp((p_subscription ->> 'created')::bigint);
  return state;
end;
$function$;

comment on function private.read_subscription(jsonb) is 'What a Stripe subscription says of seats, taken from the item that sells them; canceled when that has been taken out, all null when there never was one.';

CREATE OR REPLACE FUNCTION private.reconcile_changes(p_organization_id uuid, p_started_at timestamp with time zone, p_fenced_change_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.reconcile_changes(uuid,timestamp with time zone,uuid) is 'Settles the changes that were left under way, by the subscriptions as Stripe has just shown them; returns which. p_fenced_change_id: the one that Stripe had ended, or would refuse from then on, when it showed them.';

comment on function private.reconcile_invitations(public.organizations,jsonb,jsonb,timestamp with time zone) is 'Makes our invitations those that Clerk lists as pending; returns what had drifted.';

CREATE OR REPLACE FUNCTION private.reconcile_invitations(p_organization public.organizations, p_invitations jsonb, p_memberships jsonb, p_started_at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.reconcile_memberships(public.organizations,jsonb,timestamp with time zone) is 'Makes our active members those that Clerk lists; returns what had drifted.';

CREATE OR REPLACE FUNCTION private.reconcile_memberships(p_organization public.organizations, p_memberships jsonb, p_started_at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.reconcile_settings(public.organizations,jsonb,timestamp with time zone) is 'Makes name and slug of an organization, as it was before the sync, those that Clerk shows: { name, slug, limit, updatedAt }, and has the limit pushed again where Clerk shows another than it had taken. Returns what had drifted.';

CREATE OR REPLACE FUNCTION private.reconcile_settings(p_organization public.organizations, p_shown jsonb, p_started_at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.reconcile_subscriptions(uuid,jsonb,timestamp with time zone,timestamp with time zone,uuid) is 'Takes in all of a customer''s subscriptions as Stripe lists them, latest invoices expanded; returns what had drifted.';

CREATE OR REPLACE FUNCTION private.reconcile_subscriptions(p_organization_id uuid, p_subscriptions jsonb, p_read_at timestamp with time zone, p_started_at timestamp with time zone, p_fenced_change_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.record_first_payment(p_organization_id uuid, p_subscription_id text, p_first_payment text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- Without a row yet, and with a Stripe that cannot be asked, the finding waits
  -- in one that gives no seats.
  insert into private.stripe_subscriptions as known (
    stripe_subscription_id, organization_id, status, quantity, first_payment, stripe_created_at, watermark
  ) values (
    p_subscription_id, p_organization_id, 'incomplete', 0, p_first_payment, '-infinity', '-infinity'
  )
  on conflict (stripe_subscription_id) do update set
    first_payment = private.later_first_payment(known.first_payment, excluded.first_payment),
    version = known.version + 1;
end;
$function$;

comment on function private.record_first_payment(uuid,text,text) is 'Notes whether the first invoice of a subscription is paid. The organization is locked by the caller.';

CREATE OR REPLACE FUNCTION private.record_invitation(p_organization public.organizations, p_invitation jsonb, p_status text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.record_invitation(public.organizations,jsonb,text) is 'Takes in what Clerk says of an invitation, as private.invitation_after() takes it: one that there is under Clerk''s id, or a reservation of ours that it was made for, or a new one. The organization is locked by the caller.';

CREATE OR REPLACE FUNCTION private.record_membership(p_organization public.organizations, p_membership jsonb, p_removed boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.record_membership(public.organizations,jsonb,boolean) is 'Takes in what Clerk says of a membership: { id, userId, email, role, createdAt, updatedAt } and whether it has ended. Forward only; of two roles, or two memberships of one person, of one millisecond only Clerk knows the later: the sweep asks soon. The organization is locked by the caller.';

comment on function private.record_organization(text,text,text,timestamp with time zone) is 'Makes sure of the organization''s row, locks it, and takes name and slug in unless newer ones are there. Of two that changed in one millisecond only Clerk knows the later: the sweep asks soon.';

CREATE OR REPLACE FUNCTION private.record_organization(p_clerk_org_id text, p_name text DEFAULT NULL::text, p_slug text DEFAULT NULL::text, p_updated_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone)
 RETURNS public.organizations
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.record_subscription(p_state private.stripe_subscriptions)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update private.stripe_subscriptions as known
  set stripe_item_id = p_state.stripe_item_id,
      status = p_state.status,
      plan = p_state.plan,
      billing_period = p_state.billing_period,
      quantity = p_state.quantity,
      current_period_start = p_state.current_period_start,
      current_period_end = p_state.current_period_end,
      pending_update = p_state.pending_update,
      cancel_at_period_end = p_state.cancel_at_period_end,
      first_payment = private.later_first_payment(known.first_payment, p_state.first_payment),
      stripe_created_at = p_state.stripe_created_at,
      watermark = greatest(known.watermark, p_state.watermark),
      watermark_asked = p_state.watermark_asked,
      watermark_tiebreak = p_state.watermark_tiebreak,
      version = known.version + 1
  where known.stripe_subscription_id = p_state.stripe_subscription_id;
  if not found then
    insert into private.stripe_subscriptions select p_state.*;
  end if;
end;
$function$;

comment on function private.record_subscription(private.stripe_subscriptions) is 'Writes a state of a subscription that has been found to be the newest. The organization is locked by the caller.';

comment on function private.record_webhook_event(text,text,text,timestamp with time zone) is 'Enters an event into the ledger; false when it is there already.';

CREATE OR REPLACE FUNCTION private.record_webhook_event(p_provider text, p_event_id text, p_type text, p_occurred_at timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- A second delivery of an event waits here for the first one's transaction.
  insert into private.webhook_events (provider, event_id, type, occurred_at)
  values (p_provider, p_event_id, p_type, p_occurred_at)
  on conflict do nothing;
  return found;
end;
$function$;

CREATE OR REPLACE FUNCTION private.refresh_clerk_limit(p_organization_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  wanted integer := (
    select private.clerk_limit_of(o.id, least(o.seat_limit, s.renewal_seats))
    from public.organizations as o
    left join public.organization_subscriptions as s on s.organization_id = o.id
    where o.id = p_organization_id
  );
begin
  update public.organizations set clerk_limit = wanted, clerk_limit_error = null
  where id = p_organization_id and clerk_limit <> wanted;
end;
$function$;

comment on function private.refresh_clerk_limit(uuid) is 'Derives clerk_limit again: see private.clerk_limit_of().';

CREATE OR REPLACE FUNCTION private.refresh_holds_seat(p_invitation_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  wrong uuid[] := array(
    select i.id from public.organization_invitations as i
    where i.id = any (p_invitation_ids) and i.holds_seat <> private.holds_seat(i)
  );
begin
  -- An update that meets no row would have its triggers called all the same.
  if wrong <> '{}' then
    update public.organization_invitations set holds_seat = not holds_seat where id = any (wrong);
  end if;
end;
$function$;

comment on function private.refresh_holds_seat(uuid[]) is 'Derives holds_seat of these invitations again.';

CREATE OR REPLACE FUNCTION private.refuse(p_status integer, p_code text, p_sentence text, p_details jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  raise exception using
    errcode = 'PT' || p_status,
    message = p_code,
    detail = p_details::text,
    hint = p_sentence;
end;
$function$;

comment on function private.refuse(integer,text,text,jsonb) is 'Raises a refusal: SQLSTATE PTxyz, which PostgREST answers as HTTP status xyz; message = stable code, hint = a sentence for people, detail = JSON for the client.';

CREATE OR REPLACE FUNCTION private.refuse_full(p_organization_id uuid, p_seats integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  capacity record;
begin
  select * into capacity from public.check_organization_capacity(p_organization_id);
  perform private.refuse(409, 'seats_full', 'All seats are taken.', jsonb_build_object(
    'seatLimit', capacity.seat_limit,
    'seatsUsed', (select seats_used from public.organizations where id = p_organization_id),
    'available', capacity.remaining_seats,
    'needed', p_seats,
    'missing', p_seats - capacity.remaining_seats,
    'cost', private.cost_of_more(p_organization_id, p_seats - capacity.remaining_seats)
  ));
end;
$function$;

comment on function private.refuse_full(uuid,integer) is 'Raises seats_full (409): what there is, how many seats were needed, how many are missing and what they would cost.';

CREATE OR REPLACE FUNCTION private.refuse_rewriting_history()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform private.refuse(403, 'account_book_only_grows', 'The account book can only be added to.');
  return null;
end;
$function$;

comment on function private.refuse_rewriting_history() is 'Trigger: refuses to change or remove rows of the account book.';

CREATE OR REPLACE FUNCTION private.refuse_truncate()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform private.refuse(403, 'truncate_refused', 'Rows that are counted cannot be truncated: delete them.');
  return null;
end;
$function$;

comment on function private.refuse_truncate() is 'Trigger: a truncate would leave the counts behind.';

CREATE OR REPLACE FUNCTION private.require_another_admin(p_member public.organization_members)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.require_another_admin(public.organization_members) is 'Raises last_admin (409) when nobody else is an admin for certain.';

CREATE OR REPLACE FUNCTION private.require_approved(p_organization public.organizations)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if p_organization.deleted_at is not null then
    perform private.refuse(404, 'organization_not_found', 'There is no such organization.');
  elsif p_organization.status = 'pending' then
    perform private.refuse(403, 'organization_not_approved', 'The organization has not been approved yet.');
  elsif p_organization.status = 'suspended' then
    perform private.refuse(403, 'organization_suspended', 'The organization is suspended.');
  end if;
end;
$function$;

comment on function private.require_approved(public.organizations) is 'Raises organization_not_found (404), organization_not_approved (403) or organization_suspended (403).';

CREATE OR REPLACE FUNCTION private.require_open(p_organization public.organizations)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  overdue_since timestamptz;
begin
  perform private.require_approved(p_organization);
  select grace_until into overdue_since from public.organization_subscriptions
  where organization_id = p_organization.id and grace_until <= now();
  if found then
    perform private.refuse(409, 'payment_overdue', 'Nobody can be added until the open invoice is paid.',
      jsonb_build_object('graceUntil', overdue_since));
  end if;
end;
$function$;

comment on function private.require_open(public.organizations) is 'Whether anybody may be added at all, room aside. Raises payment_overdue (409) and what private.require_approved() raises.';

CREATE OR REPLACE FUNCTION private.require_organization_of(p_organization_id uuid, p_clerk_org_id text)
 RETURNS public.organizations
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  organization public.organizations := private.organization_in_turn(p_organization_id);
begin
  -- Unknown and foreign are answered alike: the ids of others stay unknown.
  if organization.id is null or organization.clerk_org_id is distinct from p_clerk_org_id then
    perform private.refuse(403, 'not_organization_admin', 'You are not an admin of this organization.');
  end if;
  return organization;
end;
$function$;

comment on function private.require_organization_of(uuid,text) is 'The organization, locked, if it is the one that the caller''s Clerk token is for. Raises not_organization_admin (403).';

CREATE OR REPLACE FUNCTION private.require_plan(p_plan text, p_billing_period text, p_seats integer)
 RETURNS public.plan_prices
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  chosen public.plans;
  price public.plan_prices;
begin
  select * into chosen from public.plans where id = p_plan;
  if not found then
    perform private.refuse(400, 'unknown_plan', 'There is no such plan.', jsonb_build_object(
      'plan', p_plan, 'plans', (select jsonb_agg(id order by rank) from public.plans)));
  end if;
  select * into price from public.plan_prices where plan = p_plan and billing_period = p_billing_period;
  if not found then
    perform private.refuse(400, 'unknown_billing_period', 'The plan is not sold for this billing period.',
      jsonb_build_object('billingPeriod', p_billing_period, 'billingPeriods', (
        select jsonb_agg(billing_period order by billing_period) from public.plan_prices where plan = p_plan
      )));
  end if;
  if p_seats is null or p_seats not between chosen.min_seats and chosen.max_seats then
    perform private.refuse(422, 'seats_out_of_bounds', 'The plan does not sell this number of seats.',
      jsonb_build_object(
        'plan', p_plan, 'seats', p_seats, 'minSeats', chosen.min_seats, 'maxSeats', chosen.max_seats,
        'fittingPlan', (
          select id from public.plans where p_seats between min_seats and max_seats order by rank limit 1
        )
      ));
  end if;
  return price;
end;
$function$;

comment on function private.require_plan(text,text,integer) is 'The price of a plan for this many seats. Raises unknown_plan (400), unknown_billing_period (400), seats_out_of_bounds (422, with the plan that fits).';

comment on function private.require_proration_date(timestamp with time zone,timestamp with time zone,timestamp with time zone) is 'Who could name the moment to prorate from would name the price: one near the period''s end makes seats free, one near its start gives back what has been used. Raises proration_date_out_of_range (422).';

CREATE OR REPLACE FUNCTION private.require_proration_date(p_proration_date timestamp with time zone, p_period_start timestamp with time zone, p_now timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- A preview counts for an hour, and clocks may differ by a minute.
  earliest constant timestamptz := greatest(p_now - interval '1 hour', p_period_start);
  latest constant timestamptz := p_now + interval '1 minute';
begin
  if p_proration_date not between earliest and latest then
    perform private.refuse(422, 'proration_date_out_of_range', 'Preview the change again: that moment is not now.',
      jsonb_build_object('prorationDate', p_proration_date, 'earliest', earliest, 'latest', latest));
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.require_room_at_stripe(p_subscription_id text, p_charged boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  retry_at timestamptz;
begin
  -- A subscription takes 10 new invoices a minute, 20 a day and 200 quantity
  -- updates an hour (Stripe: rate limits, subscriptions).
  select max(nth.created_at + allowed.span) into retry_at
  from (values (true, 10, interval '1 minute'), (true, 20, interval '1 day'), (false, 200, interval '1 hour'))
    as allowed (charged, n, span)
  cross join lateral (
    select c.created_at
    from public.seat_changes as c
    where c.stripe_subscription_id = p_subscription_id
      and (c.kind = 'now' or not allowed.charged)
      and c.created_at > now() - allowed.span
    order by c.created_at desc
    offset allowed.n - 1
    limit 1
  ) as nth
  where p_charged or not allowed.charged;
  if retry_at is not null then
    perform private.refuse(429, 'too_many_changes', 'This subscription has been changed too often.',
      jsonb_build_object('retryAt', retry_at,
        'retryAfter', ceil(extract(epoch from retry_at - now()))));
  end if;
end;
$function$;

comment on function private.require_room_at_stripe(text,boolean) is 'Raises too_many_changes (429), with when to try again, for a change that would go past Stripe''s limits.';

comment on function private.require_seat_change(public.organizations,text,text,integer) is 'What a change would be: its kind, and what was before. Raises no_subscription, seats_below_usage, nothing_to_change, change_scheduled, payment_overdue, trial_under_way (409), downgrade_alone (422) and what private.require_approved() and private.require_plan() raise.';

CREATE OR REPLACE FUNCTION private.require_seat_change(p_organization public.organizations, p_plan text, p_billing_period text, p_seats integer)
 RETURNS public.seat_changes
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  subscription public.organization_subscriptions;
  known private.stripe_subscriptions;
  change public.seat_changes;
  step integer;
  is_free boolean;
begin
  perform private.require_approved(p_organization);
  select * into subscription from public.organization_subscriptions where organization_id = p_organization.id;
  select * into known from private.stripe_subscriptions
  where stripe_subscription_id = subscription.stripe_seat_subscription_id;
  if known.status = 'unpaid' then
    perform private.refuse(409, 'payment_overdue', 'The open invoice has to be paid first.');
  elsif known.status not in ('active', 'trialing', 'past_due')
    or private.seats_of(known) is distinct from known.quantity then
    perform private.refuse(409, 'no_subscription', 'There is no subscription to change: buy one first.',
      jsonb_build_object('status', coalesce(subscription.status, 'none'), 'buyWith', 'create-seat-checkout-session'));
  end if;

  change.organization_id := p_organization.id;
  change.plan := coalesce(p_plan, subscription.plan);
  change.billing_period := coalesce(p_billing_period, subscription.seat_billing_period);
  change.seats := p_seats;
  change.stripe_subscription_id := known.stripe_subscription_id;
  change.plan_before := subscription.plan;
  change.billing_period_before := subscription.seat_billing_period;
  change.seats_before := subscription.purchased_seats;
  change.renewal_seats_before := subscription.renewal_seats;
  change.period_end := known.current_period_end;
  perform private.require_plan(change.plan, change.billing_period, p_seats);
  if p_seats < p_organization.seats_used then
    perform private.refuse(409, 'seats_below_usage', 'More seats than that are in use.',
      jsonb_build_object('seats', p_seats, 'seatsUsed', p_organization.seats_used));
  end if;

  select new.rank - old.rank into step
  from public.plans as new, public.plans as old
  where new.id = change.plan and old.id = change.plan_before;
  is_free := step <= 0 and p_seats <= change.seats_before and change.billing_period = change.billing_period_before;
  change.kind := case when is_free then 'renewal' else 'now' end;

  if (p_seats, change.plan, change.billing_period) = (known.quantity, known.plan, known.billing_period) then
    perform private.refuse(409, 'nothing_to_change', 'That is how it is already.');
  elsif step < 0 and not is_free then
    perform private.refuse(422, 'downgrade_alone',
      'A lower plan waits for renewal: change the seats or the billing period by itself.',
      jsonb_build_object('plan', change.plan, 'seatsBefore', change.seats_before));
  elsif change.kind = 'now' and (known.quantity, known.plan) is distinct from (change.seats_before, change.plan_before) then
    perform private.refuse(409, 'change_scheduled',
      'A decrease is scheduled: take it back first, which is free.',
      jsonb_build_object('renewalSeats', subscription.renewal_seats, 'undoWith', 'DELETE scheduled-change'));
  elsif change.kind = 'now' and known.status = 'past_due' then
    perform private.refuse(409, 'payment_overdue', 'The open invoice has to be paid first.');
  elsif known.status = 'trialing' and change.billing_period <> change.billing_period_before then
    -- What a period that begins now does to a trial is not documented.
    perform private.refuse(409, 'trial_under_way', 'The billing period can be changed once the trial is over.',
      jsonb_build_object('trialEnd', change.period_end));
  end if;
  return change;
end;
$function$;

CREATE OR REPLACE FUNCTION private.require_seats(p_organization_id uuid, p_seats integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  organization public.organizations := private.lock_organization(p_organization_id);
  capacity record;
begin
  perform private.require_open(organization);
  perform private.expire_invitations(p_organization_id);
  select * into capacity from public.check_organization_capacity(p_organization_id);
  if capacity.remaining_seats < p_seats then
    perform private.refuse_full(p_organization_id, p_seats);
  end if;
end;
$function$;

comment on function private.require_seats(uuid,integer) is 'Commands that take seats call this: locks the organization until the transaction ends, then applies check_organization_capacity(). Raises seats_full (409) and what private.require_open() raises.';

comment on function private.same_subscription(private.stripe_subscriptions,private.stripe_subscriptions) is 'Whether two states of a subscription say the same of seats.';

CREATE OR REPLACE FUNCTION private.same_subscription(p_one private.stripe_subscriptions, p_other private.stripe_subscriptions)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return (p_one.status, p_one.stripe_item_id, p_one.plan, p_one.billing_period, p_one.quantity,
      p_one.current_period_start, p_one.current_period_end, p_one.pending_update, p_one.cancel_at_period_end)
    is not distinct from (p_other.status, p_other.stripe_item_id, p_other.plan, p_other.billing_period,
      p_other.quantity, p_other.current_period_start, p_other.current_period_end, p_other.pending_update,
      p_other.cancel_at_period_end);
end;
$function$;

CREATE OR REPLACE FUNCTION private.schedule_sync()
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if to_regnamespace('cron') is null then
    raise notice 'The sweep is not scheduled: pg_cron is missing.';
    return false;
  end if;
  -- A sweep takes about 20 seconds. Two go on at once only where a provider is slow or
  -- allows little: each uses half of that, and no organization is in both. A job of
  -- the same name is replaced (pg_cron: cron.schedule).
  perform cron.schedule('seatkeeper-sweep', '* * * * *', 'select private.wake_sync()');
  return true;
end;
$function$;

comment on function private.schedule_sync() is 'Has pg_cron call private.wake_sync() every minute; says whether it could.';

CREATE OR REPLACE FUNCTION private.seats_of(p_subscription private.stripe_subscriptions)
 RETURNS integer
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case
    when p_subscription.status in ('active', 'trialing', 'past_due')
      and p_subscription.first_payment in ('paid', 'assumed')
    then p_subscription.quantity
    else 0
  end;
end;
$function$;

comment on function private.seats_of(private.stripe_subscriptions) is 'The seats that a subscription gives: its quantity while it is active, trialing or past due, once its first invoice is paid.';

CREATE OR REPLACE FUNCTION private.seats_to_come(p_subscription_id text)
 RETURNS integer
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select seats
    from public.seat_changes
    where stripe_subscription_id = p_subscription_id
      and kind = 'now' and state in ('open', 'awaiting_payment', 'stuck')
  );
end;
$function$;

comment on function private.seats_to_come(text) is 'The seats of the change that Stripe may make at any moment, null when none is under way: another billing period can come with fewer seats, and nobody may take those meanwhile.';

CREATE OR REPLACE FUNCTION private.set_cause(p_actor text, p_cause text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform set_config('seatkeeper.actor', coalesce(p_actor, ''), true),
          set_config('seatkeeper.cause', coalesce(p_cause, ''), true);
end;
$function$;

comment on function private.set_cause(text,text) is 'Names who acts and why until the transaction ends; billing_changes takes both from here.';

CREATE OR REPLACE FUNCTION private.set_holds_seat()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  derived boolean;
begin
  -- Whoever changes seats holds the organization's row first, by whatever way
  -- he comes: so he sees the members and invitations of all who came before.
  perform from public.organizations where id = new.organization_id for no key update;
  derived := private.holds_seat(new);
  -- A row that comes with what is derived need not be made anew.
  if new.holds_seat is distinct from derived then
    new.holds_seat := derived;
  end if;
  return new;
end;
$function$;

comment on function private.set_holds_seat() is 'Trigger: derives holds_seat of the invitation that is written.';

CREATE OR REPLACE FUNCTION private.set_member_holds_seat()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- Whoever changes seats holds the organization's row first: see
  -- private.set_holds_seat().
  perform from public.organizations where id = new.organization_id for no key update;
  new.holds_seat := new.status = 'active' and private.takes_seat(new.role);
  return new;
end;
$function$;

comment on function private.set_member_holds_seat() is 'Trigger: derives holds_seat of the member that is written.';

CREATE OR REPLACE FUNCTION private.settle_changes(p_known private.stripe_subscriptions, p_answered uuid DEFAULT NULL::uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- Most events come while nothing is under way: an update that meets no row has
  -- its triggers called all the same.
  if not exists (
    select from public.seat_changes
    where stripe_subscription_id = p_known.stripe_subscription_id
      and (state in ('open', 'awaiting_payment', 'stuck', 'scheduled') or state = 'failed' and id = p_answered)
  ) then
    return;
  end if;
  update public.seat_changes as c
  set state = settled.state,
      error = null,
      payment_url = case when settled.state = 'awaiting_payment' then c.payment_url end
  from (
    select s.id, case
      when s.kind = 'now' and (p_known.quantity, p_known.plan, p_known.billing_period)
        = (s.seats, s.plan, s.billing_period) then 'completed'
      when s.kind = 'now' and p_known.pending_update and (s.state <> 'failed' or not exists (
        select from public.seat_changes as other
        where other.organization_id = s.organization_id and other.state in ('open', 'awaiting_payment', 'stuck')
      )) then 'awaiting_payment'
      when s.kind = 'now' and s.state = 'awaiting_payment' then 'expired'
      -- Unpaid is not over: once it is paid, the period gives what it was billed for.
      when s.state = 'scheduled' and p_known.status in ('canceled', 'incomplete_expired') then 'superseded'
      when s.kind = 'renewal' and s.state = 'scheduled' and p_known.current_period_end > s.period_end then 'completed'
      when s.kind = 'renewal' and s.state = 'scheduled' and (p_known.quantity, p_known.plan) <> (s.seats, s.plan)
        then 'superseded'
      when s.kind = 'renewal' and s.state <> 'scheduled' and (p_known.quantity, p_known.plan) = (s.seats, s.plan) then
        case when (s.seats, s.plan) = (s.seats_before, s.plan_before) or p_known.current_period_end > s.period_end
          then 'completed' else 'scheduled' end
      else s.state
    end as state
    from public.seat_changes as s
    where s.stripe_subscription_id = p_known.stripe_subscription_id
      and (s.state in ('open', 'awaiting_payment', 'stuck', 'scheduled') or s.state = 'failed' and s.id = p_answered)
  ) as settled
  where c.id = settled.id and c.state <> settled.state;

  -- Of several renewal changes the last one that Stripe knows is the one that holds.
  update public.seat_changes as c set state = 'superseded'
  where c.stripe_subscription_id = p_known.stripe_subscription_id and c.state = 'scheduled'
    and exists (
      select from public.seat_changes as later
      where later.stripe_subscription_id = c.stripe_subscription_id and later.kind = 'renewal'
        and later.state in ('scheduled', 'completed') and later.created_at > c.created_at
    );
end;
$function$;

comment on function private.settle_changes(private.stripe_subscriptions,uuid) is 'Ends or moves on the changes of a subscription as its newest state shows them to have ended. p_answered: the one that this state is Stripe''s answer to, which outweighs a sweep that has already called it failed.';

CREATE OR REPLACE FUNCTION private.settle_checkout(p_organization_id uuid, p_session jsonb, p_type text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.seat_changes
  set stripe_checkout_session_id = p_session ->> 'id',
      state = case
        when p_type = 'checkout.session.expired' then 'expired'
        when p_type = 'checkout.session.async_payment_failed' then 'failed'
        when p_type = 'checkout.session.completed' and p_session ->> 'payment_status' = 'unpaid' then 'awaiting_payment'
        else 'completed'
      end
  where id = private.to_uuid(p_session #>> '{metadata,seat_change_id}')
    and organization_id = p_organization_id
    and state in ('open', 'superseded', 'awaiting_payment')
    and not (state = 'awaiting_payment' and p_type = 'checkout.session.completed');
end;
$function$;

comment on function private.settle_checkout(uuid,jsonb,text) is 'Ends the intent behind a Checkout Session as Stripe says it ended.';

CREATE OR REPLACE FUNCTION private.settle_invitation(p_organization public.organizations, p_invitation_id uuid, p_result jsonb)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.settle_invitation(public.organizations,uuid,jsonb) is 'Settles one reservation or invitation by one of the results that settle_invitations() takes; returns its state.';

CREATE OR REPLACE FUNCTION private.settle_reservations(p_organization public.organizations, p_results jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.settle_reservations(public.organizations,jsonb) is 'Makes of reservations the invitations that Clerk has made for them, by the results that settle_invitations() takes, all in one statement, but for those of which Clerk''s event came first. Returns { id: state }.';

CREATE OR REPLACE FUNCTION private.settling_time()
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select interval '15 minutes';
$function$;

comment on function private.settling_time() is 'How long Clerk may take to make a member of who accepted an invitation, before sync calls it lost.';

CREATE OR REPLACE FUNCTION private.stripe_id(p_reference jsonb)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case jsonb_typeof(p_reference)
    when 'string' then p_reference #>> '{}'
    when 'object' then p_reference ->> 'id'
  end;
end;
$function$;

comment on function private.stripe_id(jsonb) is 'The id behind a reference of Stripe''s, which is the id itself or the expanded object.';

CREATE OR REPLACE FUNCTION private.stripe_outcome(p_event_id text, p_before public.organizations, p_verdict text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  after public.organizations := p_before;
  alert text;
  outcome text := case
    when p_verdict in ('newer', 'same') then 'applied'
    when p_verdict = 'stale' then 'stale'
    else 'ignored'
  end;
begin
  if p_verdict = 'newer' then
    after := (select o from public.organizations as o where o.id = p_before.id);
    alert := case
      when after.over_capacity and not p_before.over_capacity then 'over_capacity'
      when (
        select count(*) > 1 from private.stripe_subscriptions as known
        where known.organization_id = after.id and private.seats_of(known) > 0
      ) then 'several_subscriptions'
    end;
  elsif outcome <> 'applied' then
    update private.webhook_events set outcome = p_verdict where provider = 'stripe' and event_id = p_event_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'outcome', outcome,
    'reason', case when outcome = 'ignored' then p_verdict end,
    'organizationId', after.id,
    'seatLimit', after.seat_limit,
    'seatsUsed', after.seats_used,
    'pushLimit', nullif(private.limit_push_due(after), false),
    'alert', alert
  ));
end;
$function$;

comment on function private.stripe_outcome(text,public.organizations,text) is 'Notes in the ledger why an event was not applied and says how the organization stands now.';

CREATE OR REPLACE FUNCTION private.subscription_version(p_organization_id uuid)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce(sum(version), 0)::bigint from private.stripe_subscriptions where organization_id = p_organization_id;
$function$;

comment on function private.subscription_version(uuid) is 'Grows with every write to an organization''s subscriptions.';

CREATE OR REPLACE FUNCTION private.sync_health()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'lastRunAt', (select max(finished_at) from private.sync_runs),
    'oldestSeconds', (
      select case when count(*) > 0
        then greatest(0, round(extract(epoch from now() - min(coalesce(last_synced_at, created_at))))) end
      from public.organizations
      where deleted_at is null
    ),
    'synced', coalesce(sum(organizations), 0),
    'failed', coalesce(sum(failed), 0),
    'recoveredEvents', coalesce(sum(recovered_events), 0),
    'successRate', round(sum(organizations)::numeric / nullif(sum(organizations) + sum(failed), 0), 4),
    'sweepsWithMuchDrift', count(*) filter (where (
      select sum(found::bigint) from jsonb_each_text(drift) as each (kind, found)
    ) > (select drift_alert from private.settings)),
    'drift', (
      select coalesce(jsonb_object_agg(kind, n), '{}')
      from (
        select kind, sum(found::bigint) as n
        from private.sync_runs, jsonb_each_text(drift) as each (kind, found)
        where finished_at > now() - interval '1 day'
        group by kind
      ) as by_kind
    )
  )
  from private.sync_runs
  where finished_at > now() - interval '1 day';
$function$;

comment on function private.sync_health() is 'How the sweeps of the last day went: { lastRunAt, oldestSeconds: since when the longest waiting organization has not been compared, synced, failed, successRate, recoveredEvents: that Stripe had failed to deliver, sweepsWithMuchDrift: with more than settings.drift_alert, drift: { kind: number } }.';

CREATE OR REPLACE FUNCTION private.sync_soon(p_organization_id uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  update private.organization_syncs set due = true where organization_id = p_organization_id;
$function$;

comment on function private.sync_soon(uuid) is 'Lets an organization come first in the queue of the sweep: what happened to it, only Clerk and Stripe can tell.';

CREATE OR REPLACE FUNCTION private.sync_summary(p_organization_id uuid, p_drift jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$;

comment on function private.sync_summary(uuid,jsonb) is 'How an organization stands after a sync, and what had drifted.';

CREATE OR REPLACE FUNCTION private.take_in_holders(p_kind text, p_changes private.holder_change[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  change private.holder_change;
  counting uuid := p_changes[1].organization_id;
  seats integer := 0;
  others uuid[] := '{}';
  booked bigint;
begin
  foreach change in array p_changes loop
    if change.organization_id <> counting then
      perform private.count_seats(p_kind, counting, seats);
      counting := change.organization_id;
      seats := 0;
    end if;
    seats := seats + change.seats;
    if change.seatless then
      perform private.refresh_clerk_limit(change.organization_id);
    end if;
    -- The row itself was derived when it was written: the seat is handed on to the others of the person.
    others := others || array(
      select id from public.organization_invitations
      where organization_id = change.organization_id and email = any (change.emails) and id <> change.id
    );
    if change.clerk_user_ids is not null then
      others := others || array(
        select id from public.organization_invitations
        where organization_id = change.organization_id and clerk_user_id = any (change.clerk_user_ids)
      );
    end if;
  end loop;
  perform private.count_seats(p_kind, counting, seats);
  -- Most people have one invitation and no other.
  if others <> '{}' then
    perform private.refresh_holds_seat(others);
  end if;

  insert into public.billing_changes (
    organization_id, kind, subject, actor, cause, before, after, purchased_seats, seats_used
  )
  select c.organization_id, p_kind, c.id, private.current_actor(), private.current_cause(), c.before, c.after, o.seat_limit, o.seats_used
  from unnest(p_changes) as c
  cross join lateral (
    -- Locked: the row with the greatest id has to be the one with the last balance.
    select seat_limit, seats_used from public.organizations where id = c.organization_id for no key update
  ) as o
  where c.before is distinct from c.after;
  get diagnostics booked = row_count;
  -- One level deeper the statement that has led here is still to be booked.
  if booked < cardinality(p_changes) and pg_trigger_depth() = 1 then
    perform private.book_balances(array(select distinct c.organization_id from unnest(p_changes) as c));
  end if;
end;
$function$;

comment on function private.take_in_holders(text,private.holder_change[]) is 'What follows from changed members or invitations (p_kind): counts them, hands seats on between those who are one person, derives Clerk''s limit and books the changes.';

CREATE OR REPLACE FUNCTION private.take_in_subscription(p_organization_id uuid, p_subscription_id text, p_answered uuid DEFAULT NULL::uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  known private.stripe_subscriptions := (
    select s from private.stripe_subscriptions as s where s.stripe_subscription_id = p_subscription_id
  );
begin
  perform private.settle_changes(known, p_answered);
  perform private.choose_subscription(p_organization_id);
end;
$function$;

comment on function private.take_in_subscription(uuid,text,uuid) is 'What follows from a newly recorded state of a subscription: changes end, numbers are derived. p_answered: see private.settle_changes().';

CREATE OR REPLACE FUNCTION private.takes_seat(p_role text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (select p_role <> all (seatless_roles) from private.settings);
end;
$function$;

comment on function private.takes_seat(text) is 'Whether people with this Clerk role need a seat.';

CREATE OR REPLACE FUNCTION private.to_uuid(p_text text)
 RETURNS uuid
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  -- Postgres 15 has no pg_input_is_valid().
  return case when p_text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_text::uuid end;
end;
$function$;

comment on function private.to_uuid(text) is 'A text from outside as uuid, null when it is none.';

CREATE OR REPLACE FUNCTION private.touch_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- The clock, not the transaction's start: sync compares this with the moment
  -- at which it began to list.
  new.updated_at := clock_timestamp();
  return new;
end;
$function$;

comment on function private.touch_updated_at() is 'Trigger: stamps updated_at.';

CREATE OR REPLACE FUNCTION private.wake_sync()
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  functions_url text;
  secret_key text;
begin
  if to_regclass('vault.decrypted_secrets') is null or to_regnamespace('net') is null then
    raise notice 'sync-seats is not woken: Vault or pg_net is missing.';
    return null;
  end if;
  select decrypted_secret into functions_url
  from vault.decrypted_secrets where name = 'seatkeeper_functions_url';
  select decrypted_secret into secret_key
  from vault.decrypted_secrets where name = 'seatkeeper_secret_key';
  if functions_url is null or secret_key is null then
    raise notice 'sync-seats is not woken: Vault has no seatkeeper_functions_url or seatkeeper_secret_key.';
    return null;
  end if;
  return net.http_post(
    url := rtrim(functions_url, '/') || '/sync-seats',
    body := '{"sweep": true}',
    headers := jsonb_build_object('Content-Type', 'application/json', 'apikey', secret_key),
    -- As long as a function may take to answer.
    timeout_milliseconds := 150000
  );
end;
$function$;

comment on function private.wake_sync() is 'Begins a sweep: posts to sync-seats through pg_net and returns the request''s id. The functions'' address and the secret key are read from Vault, as seatkeeper_functions_url and seatkeeper_secret_key; without them it does nothing. A wake-up may be lost: the next one does its work.';

CREATE OR REPLACE FUNCTION private.webhook_health()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_object_agg(provider, figures)
  from (
    select provider, jsonb_build_object(
      'events', count(event_id),
      'late', count(*) filter (where lag > extract(epoch from private.settling_time())),
      'medianLagSeconds', round((percentile_cont(0.5) within group (order by lag))::numeric, 1),
      'maxLagSeconds', round(max(lag), 1)
    ) as figures
    from unnest(array['stripe', 'clerk']) as known (provider)
    left join lateral (
      -- Stripe's times are whole seconds, and clocks differ.
      select event_id,
        case when occurred_at is not null then greatest(0, extract(epoch from received_at - occurred_at)) end as lag
      from private.webhook_events as e
      where e.provider = known.provider and received_at > now() - interval '1 hour'
    ) as events on true
    group by provider
  ) as by_provider;
$function$;

comment on function private.webhook_health() is 'How late the events of the last hour were recorded, by provider: { events, late, medianLagSeconds, maxLagSeconds }. Late: later than sync waits for them.';

CREATE OR REPLACE FUNCTION private.write_invitations(p_recorded public.organization_invitations[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  update public.organization_invitations as i
  set status = r.status, clerk_invitation_id = r.clerk_invitation_id, clerk_created_at = r.clerk_created_at,
      held_until = r.held_until, clerk_user_id = r.clerk_user_id, invited_by = r.invited_by,
      role = r.role, expires_at = r.expires_at, clerk_updated_at = r.clerk_updated_at
  from unnest(p_recorded) as r
  where i.id = r.id;
end;
$function$;

comment on function private.write_invitations(public.organization_invitations[]) is 'Writes what private.invitation_after() has made of rows that there are.';

-- schema public

create schema public;
comment on schema public is 'standard public schema';
grant usage on schema public to anon;
grant usage on schema public to authenticated;
grant usage on schema public to postgres;
grant usage on schema public to public;
grant usage on schema public to service_role;

create table public.billing_changes (
  id bigint generated always as identity not null,
  organization_id uuid not null,
  kind text not null,
  subject text not null,
  actor text not null,
  cause text not null,
  before jsonb,
  after jsonb,
  purchased_seats integer not null,
  seats_used integer not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint billing_changes_pkey PRIMARY KEY (id),
  constraint billing_changes_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organizations(id),
  constraint billing_changes_kind_known CHECK ((kind = ANY (ARRAY['organization'::text, 'subscription'::text, 'member'::text, 'invitation'::text])))
);

CREATE INDEX billing_changes_organization_id_idx ON public.billing_changes USING btree (organization_id, id DESC);

alter table public.billing_changes enable row level security;

create policy billing_changes_read_own on public.billing_changes as permissive for select to authenticated
  using ((organization_id IN ( SELECT private.my_administered_organization_ids() AS my_administered_organization_ids)));

CREATE TRIGGER billing_changes_only_grow BEFORE DELETE OR UPDATE OR TRUNCATE ON public.billing_changes FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_rewriting_history();

comment on table public.billing_changes is 'The account book. It only grows: updates, deletes and truncates are refused.';
comment on column public.billing_changes.subject is 'Id of the row that changed: an organization (also for its subscription), a member or an invitation.';
comment on column public.billing_changes.actor is 'Who did it: a Clerk user id, ''clerk'', ''stripe'', ''sync'', or the database role that wrote around the functions.';
comment on column public.billing_changes.cause is 'What for: an event id (evt_…, msg_…), the name of a command, or ''sql''.';
comment on column public.billing_changes.before is 'The fields that changed, as they were; null for a new row.';
comment on column public.billing_changes.after is 'The same fields, as they are; null for a deleted row.';
comment on column public.billing_changes.purchased_seats is 'The balance, as on a bank statement: purchased seats once the statement that this row is of was done.';
comment on column public.billing_changes.seats_used is 'The balance: seats used once the statement that this row is of was done.';

grant select on table public.billing_changes to authenticated;
grant select on table public.billing_changes to service_role;

create table public.organization_invitations (
  id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  clerk_invitation_id text,
  clerk_user_id text,
  email text not null,
  role text default 'org:member'::text not null,
  status text not null,
  holds_seat boolean default false not null,
  held_until timestamp with time zone,
  expires_at timestamp with time zone default (clock_timestamp() + '30 days'::interval) not null,
  invited_by text,
  clerk_created_at timestamp with time zone,
  clerk_updated_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  constraint organization_invitations_pkey PRIMARY KEY (id),
  constraint organization_invitations_clerk_invitation_id_unique UNIQUE (clerk_invitation_id),
  constraint organization_invitations_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organizations(id),
  constraint organization_invitations_sound CHECK (private.is_sound(organization_invitations.*))
);

CREATE INDEX organization_invitations_expired_idx ON public.organization_invitations USING btree (expires_at) WHERE (status = 'pending'::text);
CREATE INDEX organization_invitations_expiring_idx ON public.organization_invitations USING btree (organization_id, expires_at) WHERE (status = 'pending'::text);
CREATE INDEX organization_invitations_held_idx ON public.organization_invitations USING btree (held_until) WHERE (held_until IS NOT NULL);
CREATE INDEX organization_invitations_holding_idx ON public.organization_invitations USING btree (organization_id) WHERE holds_seat;
CREATE UNIQUE INDEX organization_invitations_one_reservation ON public.organization_invitations USING btree (organization_id, email) WHERE (status = 'reserved'::text);
CREATE INDEX organization_invitations_person_idx ON public.organization_invitations USING btree (organization_id, email);
CREATE INDEX organization_invitations_user_idx ON public.organization_invitations USING btree (organization_id, clerk_user_id) WHERE (clerk_user_id IS NOT NULL);

alter table public.organization_invitations enable row level security;

create policy organization_invitations_read_own on public.organization_invitations as permissive for select to authenticated
  using ((organization_id IN ( SELECT private.my_organization_ids() AS my_organization_ids)));

CREATE TRIGGER organization_invitations_deleted AFTER DELETE ON public.organization_invitations REFERENCING OLD TABLE AS rows_before FOR EACH STATEMENT EXECUTE FUNCTION private.invitations_changed();
CREATE TRIGGER organization_invitations_inserted AFTER INSERT ON public.organization_invitations REFERENCING NEW TABLE AS rows_after FOR EACH STATEMENT EXECUTE FUNCTION private.invitations_changed();
CREATE TRIGGER organization_invitations_refuse_truncate BEFORE TRUNCATE ON public.organization_invitations FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_truncate();
CREATE TRIGGER organization_invitations_set_holds_seat BEFORE INSERT OR UPDATE OF id, organization_id, clerk_user_id, email, role, status, holds_seat, clerk_created_at, created_at ON public.organization_invitations FOR EACH ROW EXECUTE FUNCTION private.set_holds_seat();
CREATE TRIGGER organization_invitations_touch_updated_at BEFORE UPDATE OF id, organization_id, clerk_invitation_id, clerk_user_id, email, role, status, held_until, expires_at, invited_by, clerk_created_at, clerk_updated_at, created_at ON public.organization_invitations FOR EACH ROW EXECUTE FUNCTION private.touch_updated_at();
CREATE TRIGGER organization_invitations_updated AFTER UPDATE ON public.organization_invitations REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after FOR EACH STATEMENT EXECUTE FUNCTION private.invitations_changed();

comment on table public.organization_invitations is 'One row an invitation, kept after it ends, as a tombstone.';
comment on column public.organization_invitations.clerk_invitation_id is 'Clerk''s id; null while the call to Clerk is under way.';
comment on column public.organization_invitations.clerk_user_id is 'Who accepted it, once Clerk has said so.';
comment on column public.organization_invitations.status is 'reserved (seat held, Clerk not asked yet) → pending → accepted → joined, or revoked, or expired. Never backwards by an event.';
comment on column public.organization_invitations.holds_seat is 'Whether it counts: it is reserved, pending or accepted, its role takes a seat, its person is no active member yet, and no newer invitation of the same person is alive or was joined. Derived by trigger.';
comment on column public.organization_invitations.held_until is 'A command of ours is asking Clerk for this invitation until then at the latest; past that the next sync adopts or releases it by what Clerk says.';
comment on column public.organization_invitations.expires_at is 'Infinity for one that Clerk names no end of.';
comment on column public.organization_invitations.invited_by is 'Clerk user id of the inviter.';
comment on column public.organization_invitations.clerk_created_at is 'When Clerk made it: only a membership made since then can be the one that it led to.';
comment on column public.organization_invitations.clerk_updated_at is 'Watermark of role, e-mail and expiry.';

grant select on table public.organization_invitations to authenticated;
grant select on table public.organization_invitations to service_role;

create table public.organization_members (
  id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  clerk_membership_id text,
  clerk_user_id text not null,
  email text,
  role text default 'org:member'::text not null,
  status text not null,
  holds_seat boolean default false not null,
  held_until timestamp with time zone,
  clerk_created_at timestamp with time zone,
  clerk_updated_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  constraint organization_members_pkey PRIMARY KEY (id),
  constraint organization_members_clerk_membership_id_unique UNIQUE (clerk_membership_id),
  constraint organization_members_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organizations(id),
  constraint organization_members_sound CHECK (private.is_sound(organization_members.*))
);

CREATE INDEX organization_members_active_email_idx ON public.organization_members USING btree (organization_id, email) WHERE (status = 'active'::text);
CREATE INDEX organization_members_clerk_user_id_idx ON public.organization_members USING btree (clerk_user_id, status);
CREATE INDEX organization_members_held_idx ON public.organization_members USING btree (held_until) WHERE (held_until IS NOT NULL);
CREATE INDEX organization_members_holding_idx ON public.organization_members USING btree (organization_id) WHERE holds_seat;
CREATE UNIQUE INDEX organization_members_one_active ON public.organization_members USING btree (organization_id, clerk_user_id) WHERE (status = 'active'::text);
CREATE UNIQUE INDEX organization_members_one_request ON public.organization_members USING btree (organization_id, clerk_user_id) WHERE (status = 'requested'::text);
CREATE INDEX organization_members_organization_id_idx ON public.organization_members USING btree (organization_id, status);
CREATE INDEX organization_members_seatless_idx ON public.organization_members USING btree (organization_id) WHERE ((status = 'active'::text) AND (NOT holds_seat));

alter table public.organization_members enable row level security;

create policy organization_members_read_own on public.organization_members as permissive for select to authenticated
  using ((organization_id IN ( SELECT private.my_organization_ids() AS my_organization_ids)));

CREATE TRIGGER organization_members_deleted AFTER DELETE ON public.organization_members REFERENCING OLD TABLE AS rows_before FOR EACH STATEMENT EXECUTE FUNCTION private.members_changed();
CREATE TRIGGER organization_members_inserted AFTER INSERT ON public.organization_members REFERENCING NEW TABLE AS rows_after FOR EACH STATEMENT EXECUTE FUNCTION private.members_changed();
CREATE TRIGGER organization_members_refuse_truncate BEFORE TRUNCATE ON public.organization_members FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_truncate();
CREATE TRIGGER organization_members_set_holds_seat BEFORE INSERT OR UPDATE ON public.organization_members FOR EACH ROW EXECUTE FUNCTION private.set_member_holds_seat();
CREATE TRIGGER organization_members_touch_updated_at BEFORE UPDATE OF id, organization_id, clerk_membership_id, clerk_user_id, email, role, status, held_until, clerk_created_at, clerk_updated_at, created_at ON public.organization_members FOR EACH ROW EXECUTE FUNCTION private.touch_updated_at();
CREATE TRIGGER organization_members_updated AFTER UPDATE ON public.organization_members REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after FOR EACH STATEMENT EXECUTE FUNCTION private.members_changed();

comment on table public.organization_members is 'One row a membership, kept after it ends: a removed row is the tombstone that a late event runs into.';
comment on column public.organization_members.clerk_membership_id is 'Clerk''s id; null for a request, and for an approved member until Clerk reports the membership.';
comment on column public.organization_members.role is 'Clerk''s role key, with its org: prefix.';
comment on column public.organization_members.status is 'requested (asked to join, no seat) → active (one seat) → removed; requested → rejected. Never backwards by an event.';
comment on column public.organization_members.holds_seat is 'Whether it counts: it is active, and its role takes a seat. Derived by trigger.';
comment on column public.organization_members.held_until is 'A command of ours is asking Clerk about this member until then at the latest; past that the next sync settles it by what Clerk says.';
comment on column public.organization_members.clerk_created_at is 'When Clerk made the membership: of two memberships of one person the newer is the living one.';
comment on column public.organization_members.clerk_updated_at is 'Watermark of role and e-mail.';

grant select on table public.organization_members to authenticated;
grant select on table public.organization_members to service_role;

create view public.organization_seats with (security_invoker=true) as
 SELECT organization_members.organization_id,
    'member'::text AS taken_by,
    organization_members.id,
    organization_members.clerk_user_id,
    organization_members.email,
    organization_members.role,
    COALESCE(organization_members.clerk_created_at, organization_members.created_at) AS since
   FROM public.organization_members
  WHERE organization_members.holds_seat
UNION ALL
 SELECT organization_invitations.organization_id,
    'invitation'::text AS taken_by,
    organization_invitations.id,
    organization_invitations.clerk_user_id,
    organization_invitations.email,
    organization_invitations.role,
    COALESCE(organization_invitations.clerk_created_at, organization_invitations.created_at) AS since
   FROM public.organization_invitations
  WHERE organization_invitations.holds_seat;

comment on view public.organization_seats is 'The seats taken now, one row a seat: who has it and since when, as a member or through an invitation.';

grant select on table public.organization_seats to authenticated;
grant select on table public.organization_seats to service_role;

create table public.organization_subscriptions (
  organization_id uuid not null,
  stripe_customer_id text,
  stripe_seat_subscription_id text,
  stripe_seat_item_id text,
  status text default 'none'::text not null,
  plan text,
  seat_billing_period text,
  purchased_seats integer default 0 not null,
  renewal_seats integer,
  current_period_end timestamp with time zone,
  cancel_at_period_end boolean default false not null,
  grace_until timestamp with time zone,
  granted_seats integer default 0 not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  constraint organization_subscriptions_pkey PRIMARY KEY (organization_id),
  constraint organization_subscriptions_stripe_customer_id_unique UNIQUE (stripe_customer_id),
  constraint organization_subscriptions_stripe_seat_subscription_id_unique UNIQUE (stripe_seat_subscription_id),
  constraint organization_subscriptions_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organizations(id),
  constraint organization_subscriptions_plan_fkey FOREIGN KEY (plan) REFERENCES public.plans(id),
  constraint organization_subscriptions_sound CHECK (private.is_sound(organization_subscriptions.*))
);

CREATE INDEX organization_subscriptions_grace_idx ON public.organization_subscriptions USING btree (grace_until) WHERE (grace_until IS NOT NULL);
CREATE INDEX organization_subscriptions_period_idx ON public.organization_subscriptions USING btree (current_period_end) WHERE (status = ANY (ARRAY['active'::text, 'trialing'::text, 'past_due'::text]));
CREATE INDEX organization_subscriptions_plan_idx ON public.organization_subscriptions USING btree (plan);

alter table public.organization_subscriptions enable row level security;

create policy organization_subscriptions_read_own on public.organization_subscriptions as permissive for select to authenticated
  using ((organization_id IN ( SELECT private.my_organization_ids() AS my_organization_ids)));

CREATE TRIGGER organization_subscriptions_booked AFTER INSERT OR DELETE OR UPDATE ON public.organization_subscriptions FOR EACH ROW EXECUTE FUNCTION private.book_subscription();
CREATE TRIGGER organization_subscriptions_refuse_truncate BEFORE TRUNCATE ON public.organization_subscriptions FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_truncate();
CREATE TRIGGER organization_subscriptions_set_seat_limit AFTER INSERT OR DELETE OR UPDATE ON public.organization_subscriptions FOR EACH ROW EXECUTE FUNCTION private.follow_purchased_seats();
CREATE TRIGGER organization_subscriptions_touch_updated_at BEFORE UPDATE ON public.organization_subscriptions FOR EACH ROW EXECUTE FUNCTION private.touch_updated_at();

comment on table public.organization_subscriptions is 'The current subscription of an organization: one row each, present from the first checkout on.';
comment on column public.organization_subscriptions.status is 'Stripe''s subscription status; none before the first.';
comment on column public.organization_subscriptions.purchased_seats is 'Seats paid for in the current billing period; organizations.seat_limit follows it by trigger.';
comment on column public.organization_subscriptions.renewal_seats is 'Seats that the next invoice bills: the quantity on the Stripe item. Null without a subscription.';
comment on column public.organization_subscriptions.grace_until is 'Until when an organization whose payment is overdue may still add people; null while nothing is overdue.';
comment on column public.organization_subscriptions.granted_seats is 'Free seats, given by grant_seats(). They count while no subscription gives any.';

grant select on table public.organization_subscriptions to authenticated;
grant select on table public.organization_subscriptions to service_role;

create table public.organizations (
  id uuid default gen_random_uuid() not null,
  clerk_org_id text not null,
  name text default ''::text not null,
  slug text,
  status text default private.default_organization_status() not null,
  subscription_plan text,
  join_code text default private.new_join_code() not null,
  seat_limit integer default 0 not null,
  members_count integer default 0 not null,
  pending_invitations_count integer default 0 not null,
  seats_used integer generated always as ((members_count + pending_invitations_count)) stored not null,
  over_capacity boolean generated always as (((members_count + pending_invitations_count) > seat_limit)) stored not null,
  clerk_limit integer default 1 not null,
  clerk_limit_pushed integer,
  clerk_limit_error text,
  last_synced_at timestamp with time zone,
  clerk_updated_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  deleted_at timestamp with time zone,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  constraint organizations_pkey PRIMARY KEY (id),
  constraint organizations_clerk_org_id_unique UNIQUE (clerk_org_id),
  constraint organizations_join_code_unique UNIQUE (join_code),
  constraint organizations_subscription_plan_fkey FOREIGN KEY (subscription_plan) REFERENCES public.plans(id),
  constraint organizations_sound CHECK (private.is_sound(organizations.*))
);

CREATE INDEX organizations_clerk_limit_error_idx ON public.organizations USING btree (id) WHERE ((clerk_limit_error IS NOT NULL) AND (deleted_at IS NULL));
CREATE INDEX organizations_deleted_idx ON public.organizations USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX organizations_limit_push_idx ON public.organizations USING btree (id) WHERE ((deleted_at IS NULL) AND (clerk_limit_error IS NULL) AND (clerk_limit_pushed IS DISTINCT FROM clerk_limit));
CREATE INDEX organizations_over_capacity_idx ON public.organizations USING btree (id) WHERE (over_capacity AND (deleted_at IS NULL));
CREATE INDEX organizations_subscription_plan_idx ON public.organizations USING btree (subscription_plan);

alter table public.organizations enable row level security;

create policy organizations_read_own on public.organizations as permissive for select to authenticated
  using ((id IN ( SELECT private.my_organization_ids() AS my_organization_ids)));

CREATE TRIGGER organizations_booked AFTER INSERT OR UPDATE OF status, deleted_at ON public.organizations FOR EACH ROW EXECUTE FUNCTION private.book_organization();
CREATE TRIGGER organizations_guard_counts BEFORE INSERT OR UPDATE OF members_count, pending_invitations_count ON public.organizations FOR EACH ROW EXECUTE FUNCTION private.guard_counts();
CREATE TRIGGER organizations_guard_seat_limit BEFORE INSERT OR UPDATE OF seat_limit ON public.organizations FOR EACH ROW EXECUTE FUNCTION private.guard_seat_limit();
CREATE TRIGGER organizations_queued_for_sync AFTER INSERT ON public.organizations FOR EACH ROW EXECUTE FUNCTION private.queue_organization_for_sync();
CREATE TRIGGER organizations_touch_updated_at BEFORE UPDATE OF id, clerk_org_id, name, slug, status, subscription_plan, join_code, seat_limit, clerk_limit, clerk_limit_pushed, clerk_limit_error, clerk_updated_at, deleted_at, created_at ON public.organizations FOR EACH ROW EXECUTE FUNCTION private.touch_updated_at();

comment on table public.organizations is 'An organization of Clerk, with its seats. The row lock on it decides who gets the last seat.';
comment on column public.organizations.status is 'pending: may not buy or add members yet; approved; suspended: may not buy or add members any more.';
comment on column public.organizations.subscription_plan is 'Plan of the current subscription. Derived by trigger.';
comment on column public.organizations.join_code is 'Whoever has it may ask to join; an admin approves.';
comment on column public.organizations.seat_limit is 'Always organization_subscriptions.purchased_seats, 0 without a subscription. Derived by trigger; any other value is refused.';
comment on column public.organizations.members_count is 'Active members. Counted by trigger; any other value is refused.';
comment on column public.organizations.pending_invitations_count is 'Invitations that hold a seat. Counted by trigger; any other value is refused.';
comment on column public.organizations.seats_used is 'members_count + pending_invitations_count.';
comment on column public.organizations.over_capacity is 'Facts from Clerk or Stripe took it past its limit: nobody can be added until that ends.';
comment on column public.organizations.clerk_limit is 'What Clerk''s max_allowed_memberships has to be, so that Clerk''s own screens refuse whom we would refuse. Never 0, which means unlimited to Clerk. Derived by trigger.';
comment on column public.organizations.clerk_limit_pushed is 'What Clerk last took as its limit; null while that is not known.';
comment on column public.organizations.clerk_limit_error is 'The code that Clerk refused the last push with.';
comment on column public.organizations.last_synced_at is 'When Postgres was last compared with Clerk and Stripe.';
comment on column public.organizations.clerk_updated_at is 'Watermark: what Clerk said at this moment or before is already here.';
comment on column public.organizations.deleted_at is 'Deleted in Clerk. The row stays as a tombstone, so that a late event cannot bring it back.';

grant select on table public.organizations to authenticated;
grant select on table public.organizations to service_role;

create table public.plan_prices (
  plan text not null,
  billing_period text not null,
  lookup_key text not null,
  base_amount bigint not null,
  seat_amount bigint not null,
  currency text not null,
  constraint plan_prices_pkey PRIMARY KEY (plan, billing_period),
  constraint plan_prices_lookup_key_unique UNIQUE (lookup_key),
  constraint plan_prices_plan_fkey FOREIGN KEY (plan) REFERENCES public.plans(id),
  constraint plan_prices_amounts_not_negative CHECK (((base_amount >= 0) AND (seat_amount >= 0))),
  constraint plan_prices_billing_period_known CHECK ((billing_period = ANY (ARRAY['monthly'::text, 'yearly'::text]))),
  constraint plan_prices_currency_iso CHECK ((currency ~ '^[a-z]{3}$'::text)),
  constraint plan_prices_lookup_key_bounded CHECK (((length(lookup_key) >= 1) AND (length(lookup_key) <= 200)))
);

alter table public.plan_prices enable row level security;

create policy plan_prices_read on public.plan_prices as permissive for select to authenticated
  using (true);

comment on table public.plan_prices is 'One price for each plan and billing period; Stripe has the same price under lookup_key, as a graduated tier.';
comment on column public.plan_prices.lookup_key is 'Stripe''s lookup key of the price.';
comment on column public.plan_prices.base_amount is 'For a whole billing period, in the currency''s smallest unit; pays for plans.included_seats seats.';
comment on column public.plan_prices.seat_amount is 'For each seat beyond the included ones and a whole billing period, in the currency''s smallest unit.';
comment on column public.plan_prices.currency is 'ISO 4217, lower case, as Stripe writes it.';

grant delete, insert, select, update on table public.plan_prices to service_role;
grant select on table public.plan_prices to authenticated;

create table public.plans (
  id text not null,
  name text not null,
  min_seats integer not null,
  max_seats integer not null,
  included_seats integer not null,
  rank integer not null,
  constraint plans_pkey PRIMARY KEY (id),
  constraint plans_rank_unique UNIQUE (rank),
  constraint plans_id_bounded CHECK ((id ~ '^[a-z][a-z0-9_]{0,31}$'::text)),
  constraint plans_included_seats_bounded CHECK (((included_seats >= 0) AND (included_seats <= max_seats))),
  constraint plans_name_bounded CHECK (((length(name) >= 1) AND (length(name) <= 64))),
  constraint plans_seats_ordered CHECK (((min_seats >= 1) AND (min_seats <= max_seats)))
);

alter table public.plans enable row level security;

create policy plans_read on public.plans as permissive for select to authenticated
  using (true);

comment on table public.plans is 'What can be bought, and for how many seats.';
comment on column public.plans.min_seats is 'Fewest seats that this plan sells.';
comment on column public.plans.max_seats is 'Most seats that this plan sells.';
comment on column public.plans.included_seats is 'Seats that the base amount pays for.';
comment on column public.plans.rank is 'Order of the plans: moving to a higher rank is an upgrade.';

grant delete, insert, select, update on table public.plans to service_role;
grant select on table public.plans to authenticated;

create table public.seat_changes (
  id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  kind text not null,
  state text default 'open'::text not null,
  plan text not null,
  billing_period text not null,
  seats integer not null,
  actor text not null,
  success_url text,
  cancel_url text,
  stripe_checkout_session_id text,
  idempotency_key text,
  stripe_subscription_id text,
  plan_before text,
  billing_period_before text,
  seats_before integer,
  renewal_seats_before integer,
  proration_date timestamp with time zone,
  period_end timestamp with time zone,
  payment_url text,
  error text,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  constraint seat_changes_pkey PRIMARY KEY (id),
  constraint seat_changes_idempotency_key_unique UNIQUE (organization_id, idempotency_key),
  constraint seat_changes_session_unique UNIQUE (stripe_checkout_session_id),
  constraint seat_changes_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organizations(id),
  constraint seat_changes_plan_before_fkey FOREIGN KEY (plan_before) REFERENCES public.plans(id),
  constraint seat_changes_price_fkey FOREIGN KEY (plan, billing_period) REFERENCES public.plan_prices(plan, billing_period),
  constraint seat_changes_actor_bounded CHECK (((length(actor) >= 1) AND (length(actor) <= 255))),
  constraint seat_changes_change_knows_before CHECK (((kind = 'checkout'::text) OR ((stripe_subscription_id IS NOT NULL) AND (plan_before IS NOT NULL) AND (billing_period_before IS NOT NULL) AND (seats_before IS NOT NULL) AND (renewal_seats_before IS NOT NULL) AND (period_end IS NOT NULL) AND (idempotency_key IS NOT NULL) AND (proration_date IS NOT NULL)))),
  constraint seat_changes_checkout_returns CHECK (((kind <> 'checkout'::text) OR ((success_url IS NOT NULL) AND (cancel_url IS NOT NULL)))),
  constraint seat_changes_error_bounded CHECK ((length(error) <= 1024)),
  constraint seat_changes_idempotency_key_bounded CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 255))),
  constraint seat_changes_kind_known CHECK ((kind = ANY (ARRAY['checkout'::text, 'now'::text, 'renewal'::text]))),
  constraint seat_changes_payment_url_bounded CHECK ((length(payment_url) <= 2048)),
  constraint seat_changes_seats_positive CHECK ((seats > 0)),
  constraint seat_changes_state_known CHECK ((state = ANY (ARRAY['open'::text, 'awaiting_payment'::text, 'scheduled'::text, 'completed'::text, 'failed'::text, 'expired'::text, 'superseded'::text, 'stuck'::text]))),
  constraint seat_changes_urls_bounded CHECK (((length(success_url) <= 2048) AND (length(cancel_url) <= 2048)))
);

CREATE UNIQUE INDEX seat_changes_one_change_at_a_time ON public.seat_changes USING btree (organization_id) WHERE ((state = ANY (ARRAY['open'::text, 'awaiting_payment'::text, 'stuck'::text])) AND (kind <> 'checkout'::text));
CREATE UNIQUE INDEX seat_changes_one_open ON public.seat_changes USING btree (organization_id) WHERE (state = 'open'::text);
CREATE INDEX seat_changes_organization_id_idx ON public.seat_changes USING btree (organization_id, created_at DESC);
CREATE INDEX seat_changes_plan_before_idx ON public.seat_changes USING btree (plan_before);
CREATE INDEX seat_changes_price_idx ON public.seat_changes USING btree (plan, billing_period);
CREATE INDEX seat_changes_subscription_idx ON public.seat_changes USING btree (stripe_subscription_id, created_at DESC) WHERE (stripe_subscription_id IS NOT NULL);
CREATE INDEX seat_changes_under_way_idx ON public.seat_changes USING btree (updated_at) WHERE ((state = ANY (ARRAY['open'::text, 'awaiting_payment'::text, 'scheduled'::text, 'stuck'::text])) AND (kind <> 'checkout'::text));

alter table public.seat_changes enable row level security;

create policy seat_changes_read_own on public.seat_changes as permissive for select to authenticated
  using ((organization_id IN ( SELECT private.my_administered_organization_ids() AS my_administered_organization_ids)));

CREATE TRIGGER seat_changes_touch_updated_at BEFORE UPDATE ON public.seat_changes FOR EACH ROW EXECUTE FUNCTION private.touch_updated_at();

comment on table public.seat_changes is 'Intents to change what is paid for, written before Stripe is called, and how each ended. The id is Stripe''s idempotency key.';
comment on column public.seat_changes.kind is 'checkout: the first purchase, through Stripe Checkout. now: charged, and granted once it is paid. renewal: free, and in force from the next period on.';
comment on column public.seat_changes.state is 'open (Stripe is being asked) → completed; awaiting_payment → completed, expired or failed; scheduled (a renewal change that Stripe knows) → completed when the period ends; failed: Stripe refused, nothing changed; superseded by a later one; stuck: could not be rolled back, the next sweep settles it.';
comment on column public.seat_changes.actor is 'Clerk user id of who asked for it.';
comment on column public.seat_changes.idempotency_key is 'The caller''s Idempotency-Key.';
comment on column public.seat_changes.seats_before is 'Purchased seats when the change was made; a renewal change keeps them until period_end.';
comment on column public.seat_changes.proration_date is 'The moment that Stripe prorates from, as in the preview.';
comment on column public.seat_changes.period_end is 'End of the period that the change was made in.';
comment on column public.seat_changes.payment_url is 'Stripe''s page to pay an awaited payment on.';
comment on column public.seat_changes.error is 'What Stripe refused a failed change with: its code, never its text.';
comment on column public.seat_changes.expires_at is 'When Stripe closes the Checkout Session, or forgets the idempotency key.';

grant select on table public.seat_changes to authenticated;
grant select on table public.seat_changes to service_role;

CREATE OR REPLACE FUNCTION public.abandon_checkout(p_seat_change_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update public.seat_changes set state = 'superseded' where id = p_seat_change_id and state = 'open';
$function$;

comment on function public.abandon_checkout(uuid) is 'Ends an intent that Stripe has answered with an error, since its idempotency key would bring the same error for a day (Stripe: idempotent requests): the next click begins another. Definer: the tables take no direct writes.';

grant execute on function public.abandon_checkout(uuid) to service_role;

CREATE OR REPLACE FUNCTION public.abandon_sync(p_organization_id uuid, p_lease_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update private.organization_syncs set lease_id = null, leased_until = '-infinity'
  where organization_id = p_organization_id and lease_id = p_lease_id;
$function$;

comment on function public.abandon_sync(uuid,uuid) is 'Gives a lease back without having written anything. Definer: schema private is closed.';

grant execute on function public.abandon_sync(uuid,uuid) to service_role;

CREATE OR REPLACE FUNCTION public.apply_clerk_event(p_message_id text, p_event jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.apply_clerk_event(text,jsonb) is 'Takes in one verified event of Clerk''s (p_message_id: its svix-id). Returns { outcome: applied | duplicate | ignored, organizationId, seatsUsed, seatLimit, pushLimit: whether Clerk has to be told the limit, alert: over_capacity when the fact has just taken it past its limit }. Definer: the tables take no direct writes.';

grant execute on function public.apply_clerk_event(text,jsonb) to service_role;

CREATE OR REPLACE FUNCTION public.apply_stripe_event(p_event jsonb, p_answer jsonb DEFAULT NULL::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  this_event_id text := p_event ->> 'id';
  event_type text := p_event ->> 'type';
  object jsonb := p_event #> '{data,object}';
  subscription_id text := case
    when event_type like 'customer.subscription.%' then object ->> 'id'
    when event_type like 'checkout.session.%' then private.stripe_id(object -> 'subscription')
    when event_type like 'invoice.%' then private.stripe_id(
      -- As it was called before 2025-03-31 (Stripe: API changelog).
      coalesce(object #> '{parent,subscription_details,subscription}', object -> 'subscription'))
  end;
  before public.organizations;
  verdict text := 'same';
begin
  if event_type not in (
    'checkout.session.completed', 'checkout.session.async_payment_succeeded',
    'checkout.session.async_payment_failed', 'checkout.session.expired',
    'customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted',
    'customer.subscription.pending_update_applied', 'customer.subscription.pending_update_expired',
    'invoice.paid', 'invoice.payment_failed'
  ) then
    return jsonb_build_object('outcome', 'ignored', 'reason', 'unhandled_type');
  elsif not private.record_webhook_event(
    'stripe', this_event_id, event_type, to_timestamp((p_event ->> 'created')::bigint)
  ) then
    return jsonb_build_object('outcome', 'duplicate');
  end if;

  before := private.organization_of_customer(object, subscription_id);
  if before.id is null then
    verdict := 'unknown_customer';
  else
    if subscription_id is not null then
      verdict := private.apply_stripe_fact(before.id, p_event, subscription_id, p_answer);
    end if;
    if verdict = 'ask' then
      delete from private.webhook_events where provider = 'stripe' and event_id = this_event_id;
      return jsonb_build_object('outcome', 'ask_stripe', 'subscriptionId', subscription_id, 'version', coalesce(
        (select version from private.stripe_subscriptions where stripe_subscription_id = subscription_id), 0));
    end if;
    if event_type like 'checkout.session.%' then
      perform private.settle_checkout(before.id, object, event_type);
    end if;
    if verdict = 'newer' then
      perform private.set_cause('stripe', this_event_id);
      perform private.take_in_subscription(before.id, subscription_id);
    end if;
  end if;
  return private.stripe_outcome(this_event_id, before, verdict);
end;
$function$;

comment on function public.apply_stripe_event(jsonb,jsonb) is 'Takes in one verified event of Stripe''s. Returns { outcome: applied | duplicate | stale | ignored | ask_stripe, reason, organizationId, seatLimit, seatsUsed, pushLimit: whether Clerk has to be told the limit, alert }. On ask_stripe nothing is written: fetch the subscription subscriptionId with its latest invoice expanded and call again with p_answer = { version: as returned, readAt: Stripe''s time in seconds, subscription: the object, or null when Stripe does not know it }. Definer: the tables take no direct writes.';

grant execute on function public.apply_stripe_event(jsonb,jsonb) to service_role;

CREATE OR REPLACE FUNCTION public.approve_member(p_member_id uuid, p_actor text DEFAULT NULL::text, p_clerk_org_id text DEFAULT NULL::text)
 RETURNS public.organization_members
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.approve_member(uuid,text,text) is 'Gives a requested member a seat, held until Clerk has the membership, and returns the member; one that is active already is returned as he was, and held anew while Clerk has no membership of his. p_clerk_org_id: the organization that the caller''s Clerk token is for. Definer: the tables take no direct writes. Raises seats_full (409), request_closed (409), already_member (409), member_not_found (404) and what private.require_open() raises.';

grant execute on function public.approve_member(uuid,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.attach_checkout_session(p_seat_change_id uuid, p_stripe_checkout_session_id text)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  change public.seat_changes;
begin
  update public.seat_changes set stripe_checkout_session_id = p_stripe_checkout_session_id
  where id = p_seat_change_id
  returning * into change;
  return change.state;
end;
$function$;

comment on function public.attach_checkout_session(uuid,text) is 'Notes which Checkout Session an intent led to and returns the intent''s state: superseded means that the session must be expired. Definer: the tables take no direct writes.';

grant execute on function public.attach_checkout_session(uuid,text) to service_role;

CREATE OR REPLACE FUNCTION public.attach_stripe_customer(p_organization_id uuid, p_stripe_customer_id text, p_actor text, p_deleted_customer_id text DEFAULT NULL::text)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  customer_id text;
begin
  perform private.set_cause(p_actor, 'attach_stripe_customer');
  perform private.lock_organization(p_organization_id);
  insert into public.organization_subscriptions as current (organization_id, stripe_customer_id)
  values (p_organization_id, p_stripe_customer_id)
  on conflict (organization_id) do update set stripe_customer_id = p_stripe_customer_id
  where current.stripe_customer_id is null or current.stripe_customer_id = p_deleted_customer_id;
  select stripe_customer_id into customer_id
  from public.organization_subscriptions where organization_id = p_organization_id;
  return customer_id;
end;
$function$;

comment on function public.attach_stripe_customer(uuid,text,text,text) is 'Ties a Stripe customer to an organization that has none, or has p_deleted_customer_id, which Stripe says is deleted, and returns the one it has: the first wins. Definer: the tables take no direct writes. Raises organization_not_found (404).';

grant execute on function public.attach_stripe_customer(uuid,text,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.begin_sweep()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.mark_due_organizations(100);
  perform private.forget_old_records(1000);
  return jsonb_build_object('eventsSince', extract(epoch from coalesce(
    (select max(events_until) from private.sync_runs),
    now() - interval '30 days'
  ))::bigint);
end;
$function$;

comment on function public.begin_sweep() is 'What a sweep does first, in the database alone: puts in front what is due, and forgets what is old. Returns { eventsSince: seconds, up to which undelivered events have been seen to }. Definer: schema private is closed.';

grant execute on function public.begin_sweep() to service_role;

CREATE OR REPLACE FUNCTION public.check_organization_capacity(p_organization_id uuid)
 RETURNS TABLE(can_add boolean, current_members integer, seat_limit integer, remaining_seats integer)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return query
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
end;
$function$;

comment on function public.check_organization_capacity(uuid) is 'Whether one more seat can be taken now. remaining_seats is what is available: least(seat_limit, renewal seats) - seats used, below zero after a fact took the organization past its limit. No row for an organization that the caller may not see.';

grant execute on function public.check_organization_capacity(uuid) to authenticated;
grant execute on function public.check_organization_capacity(uuid) to service_role;

CREATE OR REPLACE FUNCTION public.check_seat_availability(p_organization_id uuid)
 RETURNS TABLE(has_seats boolean, current_members integer, purchased_seats integer, remaining_seats integer)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select c.can_add, c.current_members, c.seat_limit, c.remaining_seats
  from public.check_organization_capacity(p_organization_id) as c;
$function$;

comment on function public.check_seat_availability(uuid) is 'check_organization_capacity() in the words of billing: the seat limit is the purchased seats.';

grant execute on function public.check_seat_availability(uuid) to authenticated;
grant execute on function public.check_seat_availability(uuid) to service_role;

CREATE OR REPLACE FUNCTION public.claim_organization_sync(p_organization_id uuid, p_clerk_org_id text, p_lease_seconds integer)
 RETURNS public.sync_lease
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.claim_organization_sync(uuid,text,integer) is 'Leases one organization for its admin, whose Clerk token is for p_clerk_org_id. Definer: schema private is closed. Raises not_organization_admin (403), organization_not_found (404), sync_in_progress (409).';

grant execute on function public.claim_organization_sync(uuid,text,integer) to service_role;

CREATE OR REPLACE FUNCTION public.claim_seats(p_organization_id uuid, p_clerk_org_id text, p_people jsonb, p_partial boolean, p_actor text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.claim_seats(uuid,text,jsonb,boolean,text) is 'Holds a seat for each of p_people = [{ email, role }], 1 to 500, before Clerk is asked to invite them: all of them or nobody, or with p_partial as many as fit. Returns { people: [{ email, role, outcome: reserved | already_member | already_invited | no_seat, invitationId: of the reservation }] } in the same order. Definer: the tables take no direct writes. Raises seats_full (409), not_organization_admin (403), invalid_request (400) and what private.require_open() raises.';

grant execute on function public.claim_seats(uuid,text,jsonb,boolean,text) to service_role;

comment on function public.claim_sync_batch(integer,integer,timestamp with time zone) is 'Leases up to p_limit organizations that nobody is syncing, first what is due, then the longest waiting, of those not tried since p_before (the start of the sweep). Definer: schema private is closed.';

CREATE OR REPLACE FUNCTION public.claim_sync_batch(p_limit integer, p_lease_seconds integer, p_before timestamp with time zone)
 RETURNS SETOF public.sync_lease
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

grant execute on function public.claim_sync_batch(integer,integer,timestamp with time zone) to service_role;

CREATE OR REPLACE FUNCTION public.expire_invitations(p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  expired_in uuid;
  organizations integer := 0;
begin
  perform private.set_cause('sync', 'expire_invitations');
  -- One that is locked is at work, and expires its invitations by itself.
  for expired_in in
    select id from public.organizations
    where id in (
      select organization_id from public.organization_invitations
      where status = 'pending' and expires_at <= now()
      order by expires_at
      limit p_limit
    )
    for no key update skip locked
  loop
    perform private.expire_invitations(expired_in);
    organizations := organizations + 1;
  end loop;
  return organizations;
end;
$function$;

comment on function public.expire_invitations(integer) is 'Ends the invitations whose time is over, in the organizations of the p_limit that ended first, and returns in how many organizations: call it until that is 0. Definer: the tables take no direct writes.';

grant execute on function public.expire_invitations(integer) to service_role;

CREATE OR REPLACE FUNCTION public.finish_clerk_limit_push(p_organization_id uuid, p_push_id uuid, p_limit integer DEFAULT NULL::integer, p_error text DEFAULT NULL::text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  organization public.organizations := private.lock_organization(p_organization_id);
  is_current boolean;
begin
  is_current := exists (
    select from private.organization_syncs
    where organization_id = p_organization_id and limit_push_id = p_push_id
  );
  -- Where two pushes overlapped, either may have reached Clerk last: neither
  -- counts, and the limit is pushed again.
  update private.organization_syncs set limit_push_id = null, limit_push_until = '-infinity'
  where organization_id = p_organization_id;
  update public.organizations
  set clerk_limit_pushed = case when is_current and p_error is null then p_limit end,
      clerk_limit_error = case when clerk_limit = organization.clerk_limit then left(p_error, 255) end
  where id = p_organization_id
  returning * into organization;
  return not is_current
    or p_limit is not null and p_error is null and organization.clerk_limit <> p_limit;
end;
$function$;

comment on function public.finish_clerk_limit_push(uuid,uuid,integer,text) is 'Notes that Clerk took p_limit, or refused it with the code p_error, or with neither that it did not answer. Returns whether the limit has to be pushed again at once: it has changed meanwhile, or another push overlapped. Definer: the tables take no direct writes. Raises organization_not_found (404).';

grant execute on function public.finish_clerk_limit_push(uuid,uuid,integer,text) to service_role;

CREATE OR REPLACE FUNCTION public.grant_seats(p_organization_id uuid, p_seats integer, p_reason text, p_actor text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_seats is null or p_seats < 0 then
    perform private.refuse(400, 'invalid_request', 'Seats are a number from 0 on.');
  elsif coalesce(btrim(p_reason), '') = '' then
    perform private.refuse(400, 'invalid_request', 'Free seats need a reason.');
  end if;
  perform private.set_cause(p_actor, 'grant_seats: ' || left(p_reason, 256));
  perform private.lock_organization(p_organization_id);
  insert into public.organization_subscriptions (organization_id, granted_seats)
  values (p_organization_id, p_seats)
  on conflict (organization_id) do update set granted_seats = excluded.granted_seats;
  perform private.choose_subscription(p_organization_id);
end;
$function$;

comment on function public.grant_seats(uuid,integer,text,text) is 'Gives an organization free seats, or takes them back with 0. They count while no subscription gives any. The reason goes into the account book. Definer: the tables take no direct writes. Raises organization_not_found (404), invalid_request (400).';

grant execute on function public.grant_seats(uuid,integer,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.health_report()
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with whole as materialized (
    select private.webhook_health() as webhooks, private.sync_health() as syncs
  ), found as (
    select code, count(*) as n, min(since) as since, (array_agg(organization_id order by since))[:20] as ids
    from private.health_findings()
    group by code
  ), figures as (
    select code, coalesce(n, 0) as n, since, ids
    from unnest(array[
      'changes_overdue', 'changes_stuck', 'clerk_limit_refused', 'deleted_but_charged', 'holds_lapsed',
      'organizations_unswept', 'over_capacity', 'over_capacity_unpaid', 'several_subscriptions'
    ]) as known (code)
    full join found using (code)
    union all
    select code, case when is_wrong then n else 0 end, null, null
    from whole
    cross join lateral (
      select (webhooks #>> '{stripe,late}')::bigint + (webhooks #>> '{clerk,late}')::bigint as late,
        (syncs ->> 'failed')::bigint as failed, (syncs ->> 'sweepsWithMuchDrift')::bigint as drifted
    ) as counted
    cross join lateral (values
      ('webhooks_late', late, true),
      ('much_drift', drifted, true),
      ('syncs_failing', failed, coalesce((syncs ->> 'successRate')::numeric < 0.95, false)),
      ('sweep_not_running', 1, (syncs ->> 'oldestSeconds')::numeric > 3600
        and coalesce((syncs ->> 'lastRunAt')::timestamptz < now() - interval '1 hour', true))
    ) as judged (code, n, is_wrong)
  )
  select jsonb_build_object(
    'at', now(),
    'webhooks', webhooks,
    'syncs', syncs,
    'counts', (select jsonb_object_agg(code, n) from figures),
    'attention', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'code', code, 'count', n, 'since', since, 'organizationIds', to_jsonb(ids)
      )) order by code), '[]')
      from figures
      -- Who has left and not paid is no mistake of anyone's.
      where n > 0 and code <> 'over_capacity_unpaid'
    )
  )
  from whole;
$function$;

comment on function public.health_report() is 'How the whole stands, for those who run it: { at, webhooks: as private.webhook_health(), syncs: as private.sync_health(), counts: { code: number }, attention: [{ code, count, since, organizationIds: at most 20, the longest waiting first }] }. attention is empty when nothing needs a person. Definer: schema private is closed.';

grant execute on function public.health_report() to service_role;

CREATE OR REPLACE FUNCTION public.hold_invitations(p_organization_id uuid, p_invitation_ids uuid[])
 RETURNS uuid[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.hold_invitations(uuid,uuid[]) is 'Holds reservations for another private.hold_time() and returns those that there still are: to be called before Clerk is asked for more of them. Definer: the tables take no direct writes. Raises organization_not_found (404).';

grant execute on function public.hold_invitations(uuid,uuid[]) to service_role;

CREATE OR REPLACE FUNCTION public.is_up()
 RETURNS boolean
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  -- Supabase makes the database of a full disk read-only: it would answer, and take nothing in.
  select exists (select from private.settings)
    and not current_setting('default_transaction_read_only')::boolean
    and not pg_catalog.pg_is_in_recovery();
$function$;

comment on function public.is_up() is 'Whether the database answers, is migrated and takes writes. Volatile, so that PostgREST asks in a transaction that may write. Definer: schema private is closed.';

grant execute on function public.is_up() to service_role;

CREATE OR REPLACE FUNCTION public.mark_seat_change_stuck(p_seat_change_id uuid, p_error text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update public.seat_changes set state = 'stuck', error = left(p_error, 1024)
  where id = p_seat_change_id and state = 'open';
$function$;

comment on function public.mark_seat_change_stuck(uuid,text) is 'Notes that a change could not be taken back, or that nobody knows how it ended. The next sweep settles it. Definer: the tables take no direct writes.';

grant execute on function public.mark_seat_change_stuck(uuid,text) to service_role;

CREATE OR REPLACE FUNCTION public.preview_seat_change(p_organization_id uuid, p_clerk_org_id text, p_seats integer, p_plan text DEFAULT NULL::text, p_billing_period text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
  change public.seat_changes := private.require_seat_change(organization, p_plan, p_billing_period, p_seats);
  known private.stripe_subscriptions;
begin
  select * into known from private.stripe_subscriptions where stripe_subscription_id = change.stripe_subscription_id;
  return jsonb_build_object(
    'kind', change.kind,
    'before', private.price_of(change.plan_before, change.billing_period_before, change.seats_before),
    'after', private.price_of(change.plan, change.billing_period, change.seats),
    'periodEnd', change.period_end,
    'startsPeriod', change.billing_period <> change.billing_period_before,
    'trialing', known.status = 'trialing',
    'cancelAtPeriodEnd', known.cancel_at_period_end,
    'subscriptionId', change.stripe_subscription_id,
    'itemId', known.stripe_item_id,
    'customerId', (select stripe_customer_id from public.organization_subscriptions as s
      where s.organization_id = p_organization_id)
  );
end;
$function$;

comment on function public.preview_seat_change(uuid,text,integer,text,text) is 'What start_seat_change() would do, without doing it: { kind, before, after: prices with their seats, periodEnd, and what Stripe needs }. Definer: see start_seat_change(). Raises not_organization_admin (403) and what private.require_seat_change() raises.';

grant execute on function public.preview_seat_change(uuid,text,integer,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.reconcile_organization(p_lease jsonb, p_clerk jsonb, p_stripe jsonb, p_actor text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.reconcile_organization(jsonb,jsonb,jsonb,text) is 'Puts right what differs from Clerk and Stripe and has not changed since the lease began. p_lease: a sync_lease. p_clerk: { deleted: true }, or { memberships, invitations, organization: { name, slug, limit, updatedAt } or null } with complete lists, or null to leave Clerk aside. p_stripe: { readAt: seconds, subscriptions: every one of the customer, latest invoices expanded, fencedChangeId: the lease''s open change if its key was fenced before they were read, else null }, or null without a customer. Returns { organizationId, seatsUsed, seatsTotal, memberCount, pendingInvitationsCount, overCapacity, pushLimit: whether Clerk has to be told the limit, drift: [{ kind, id, was, is }] }. Definer: the tables take no direct writes. Raises lease_lost (409).';

grant execute on function public.reconcile_organization(jsonb,jsonb,jsonb,text) to service_role;

comment on function public.record_sync_run(timestamp with time zone,integer,integer,jsonb,integer,bigint) is 'Notes how a sweep went. p_drift: { kind: number }; p_events_until: seconds up to which undelivered events have been seen to. Returns { more: whether organizations are waiting that were not tried since it began, differences: their sum, alert: whether those are more than settings.drift_alert }. Definer: schema private is closed.';

CREATE OR REPLACE FUNCTION public.record_sync_run(p_started_at timestamp with time zone, p_organizations integer, p_failed integer, p_drift jsonb, p_recovered_events integer DEFAULT 0, p_events_until bigint DEFAULT NULL::bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  differences integer := coalesce((select sum(number::integer) from jsonb_each_text(p_drift) as d (kind, number)), 0);
begin
  insert into private.sync_runs (started_at, organizations, failed, drift, recovered_events, events_until)
  values (p_started_at, p_organizations, p_failed, p_drift, p_recovered_events, to_timestamp(p_events_until));
  return jsonb_build_object(
    'more', exists (
      select from private.organization_syncs
      where attempted_at < p_started_at and leased_until <= now()
    ),
    'differences', differences,
    'alert', differences > (select drift_alert from private.settings)
  );
end;
$function$;

grant execute on function public.record_sync_run(timestamp with time zone,integer,integer,jsonb,integer,bigint) to service_role;

CREATE OR REPLACE FUNCTION public.reject_member(p_member_id uuid, p_clerk_org_id text, p_actor text)
 RETURNS public.organization_members
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.reject_member(uuid,text,text) is 'Turns a request down and returns it. Definer: the tables take no direct writes. Raises request_closed (409), member_not_found (404).';

grant execute on function public.reject_member(uuid,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.replace_join_code(p_organization_id uuid, p_clerk_org_id text, p_actor text)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
begin
  perform private.set_cause(p_actor, 'replace_join_code');
  update public.organizations set join_code = private.new_join_code() where id = organization.id
  returning * into organization;
  return organization.join_code;
end;
$function$;

comment on function public.replace_join_code(uuid,text,text) is 'Gives the organization a new code and returns it; the old one is worth nothing from now on. Definer: the tables take no direct writes. Raises not_organization_admin (403).';

grant execute on function public.replace_join_code(uuid,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.request_membership(p_join_code text, p_clerk_user_id text, p_email text)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.request_membership(text,text,text) is 'Asks to join with an organization''s code: returns the id of the requested (or already active) member, null for an unknown code. Takes no seat. Definer: the tables take no direct writes. Raises too_many_attempts (429).';

grant execute on function public.request_membership(text,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.return_leases(p_lease_ids uuid[])
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update private.organization_syncs set lease_id = null, leased_until = '-infinity', due = true
  where lease_id = any (p_lease_ids);
$function$;

comment on function public.return_leases(uuid[]) is 'Gives leases back whose organizations nobody has begun to sync: they come first in the next sweep. Definer: schema private is closed.';

grant execute on function public.return_leases(uuid[]) to service_role;

CREATE OR REPLACE FUNCTION public.seat_summary(p_organization_id uuid, p_clerk_org_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  organization public.organizations;
  subscription public.organization_subscriptions;
  change public.seat_changes;
begin
  select * into organization from public.organizations
  where id = p_organization_id and clerk_org_id = p_clerk_org_id and deleted_at is null;
  if not found then
    perform private.refuse(403, 'not_organization_member', 'You are not a member of this organization.');
  end if;
  select * into subscription from public.organization_subscriptions where organization_id = p_organization_id;
  select * into change from public.seat_changes
  where organization_id = p_organization_id and kind <> 'checkout'
    and state in ('open', 'awaiting_payment', 'stuck', 'scheduled')
  order by created_at desc
  limit 1;
  return jsonb_build_object(
    'organizationId', organization.id,
    'status', coalesce(subscription.status, 'none'),
    'plan', subscription.plan,
    'billingPeriod', subscription.seat_billing_period,
    'purchasedSeats', organization.seat_limit,
    'renewalSeats', subscription.renewal_seats,
    'includedSeats', (select included_seats from public.plans where id = subscription.plan),
    'grantedSeats', coalesce(subscription.granted_seats, 0),
    'membersCount', organization.members_count,
    'pendingInvitationsCount', organization.pending_invitations_count,
    'overCapacity', organization.over_capacity,
    'currentPeriodEnd', subscription.current_period_end,
    'cancelAtPeriodEnd', coalesce(subscription.cancel_at_period_end, false),
    'graceUntil', subscription.grace_until,
    'change', case when change.id is not null then private.change_answer(change) end,
    'stripeCustomerId', subscription.stripe_customer_id,
    'stripeSubscriptionId', subscription.stripe_seat_subscription_id
  );
end;
$function$;

comment on function public.seat_summary(uuid,text) is 'How an organization stands, for its members (by their Clerk token''s organization). change: the one under way or scheduled. Definer: reads on behalf of a function that has verified the token. Raises not_organization_member (403).';

grant execute on function public.seat_summary(uuid,text) to service_role;

CREATE OR REPLACE FUNCTION public.seat_usage(p_organization_id uuid, p_clerk_org_id text, p_from date, p_to date)
 RETURNS TABLE(day date, purchased_seats integer, seats_used integer, peak_seats_used integer)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if not exists (
    select from public.organizations
    where id = p_organization_id and clerk_org_id = p_clerk_org_id and deleted_at is null
  ) then
    perform private.refuse(403, 'not_organization_admin', 'You are not an admin of this organization.');
  elsif p_from is null or p_to is null or p_to not between p_from and p_from + 365 then
    perform private.refuse(400, 'invalid_request', 'Ask for 1 to 366 days, the first one first.',
      jsonb_build_object('from', p_from, 'to', p_to));
  end if;
  return query
  with booked as (
    select
      -- What came before the first day is what that day begins with.
      greatest((b.created_at at time zone 'UTC')::date, p_from - 1) as booked_on,
      (array_agg(b.purchased_seats order by b.id desc))[1] as purchased,
      (array_agg(b.seats_used order by b.id desc))[1] as used,
      max(b.seats_used) as peak
    from public.billing_changes as b
    where b.organization_id = p_organization_id and b.created_at < (p_to + 1)::timestamp at time zone 'UTC'
    group by 1
  ), days as (
    -- A day without a booking is numbered, and so ends, like the last one with any.
    select d.on_day, b.purchased, b.used, b.peak, count(b.booked_on) over (order by d.on_day) as last_booked
    from (
      select p_from + n as on_day
      from generate_series(-1, least(p_to, (now() at time zone 'UTC')::date) - p_from) as n
    ) as d
    left join booked as b on b.booked_on = d.on_day
  ), closings as (
    select d.on_day, d.peak, coalesce(max(d.purchased) over same_end, 0) as purchased,
      coalesce(max(d.used) over same_end, 0) as used
    from days as d
    window same_end as (partition by d.last_booked)
  ), openings as (
    select c.*, lag(c.used) over (order by c.on_day) as used_before
    from closings as c
  )
  select o.on_day, o.purchased, o.used, greatest(o.used_before, o.peak)
  from openings as o
  where o.on_day >= p_from
  order by o.on_day;
end;
$function$;

comment on function public.seat_usage(uuid,text,date,date) is 'Seats purchased and used at the end of each day (UTC) from p_from to p_to, both included, or until today, from the account book; and the most that were used at once that day. Definer: see seat_summary(). Raises not_organization_admin (403), invalid_request (400).';

grant execute on function public.seat_usage(uuid,text,date,date) to service_role;

CREATE OR REPLACE FUNCTION public.set_organization_status(p_organization_id uuid, p_status text, p_actor text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.set_cause(p_actor, 'set_organization_status');
  perform private.lock_organization(p_organization_id);
  update public.organizations set status = p_status where id = p_organization_id;
end;
$function$;

comment on function public.set_organization_status(uuid,text,text) is 'Approves or suspends an organization: pending, approved or suspended. Definer: the tables take no direct writes. Raises organization_not_found (404).';

grant execute on function public.set_organization_status(uuid,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.settle_invitations(p_organization_id uuid, p_results jsonb, p_actor text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.settle_invitations(uuid,jsonb,text) is 'Records how Clerk answered. p_results: [{ invitationId, status: pending | accepted | revoked | expired, invitation: { id, email, role, invitedBy, userId, createdAt, updatedAt, expiresAt } } | { invitationId, refused: true } | { invitationId, unknown: true }], invitationId being ours. Returns [{ invitationId, state }]: the state it has now (a reservation that Clerk refused, or an invitation that it does not know, is revoked, its seat free), or late when the reservation had lapsed and its seat is taken: revoke it in Clerk. Definer: the tables take no direct writes. Raises organization_not_found (404).';

grant execute on function public.settle_invitations(uuid,jsonb,text) to service_role;

CREATE OR REPLACE FUNCTION public.settle_member(p_member_id uuid, p_result jsonb, p_actor text)
 RETURNS public.organization_members
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.settle_member(uuid,jsonb,text) is 'Records how Clerk answered an approval, a change of role or a removal. p_result: { membership: { id, userId, email, role, createdAt, updatedAt }, removed: boolean }, or { refused: true, role and roleBefore: of a change of role as start_member_change() returned them, heldUntil: of an approval, as approve_member() returned it }: an approved member is then a request again, and the seat free, unless Clerk was asked for him twice. Returns the member. Definer: the tables take no direct writes. Raises member_not_found (404).';

grant execute on function public.settle_member(uuid,jsonb,text) to service_role;

CREATE OR REPLACE FUNCTION public.settle_seat_change(p_seat_change_id uuid, p_answer jsonb, p_error text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  change public.seat_changes;
  known private.stripe_subscriptions;
  said private.stripe_subscriptions;
begin
  select * into change from public.seat_changes where id = p_seat_change_id;
  if not found then
    perform private.refuse(404, 'seat_change_not_found', 'There is no such change.');
  end if;
  perform private.lock_organization(change.organization_id);
  perform private.set_cause(change.actor, 'settle_seat_change');
  select * into change from public.seat_changes where id = p_seat_change_id;

  if change.state not in ('open', 'awaiting_payment', 'stuck', 'failed')
    or change.state = 'awaiting_payment' and change.payment_url is not null then
    -- An event, or the same call at the same time, has settled it.
    return private.change_answer(change);
  elsif p_error is not null and not coalesce(p_answer ? 'subscription', false) then
    update public.seat_changes set state = 'failed', error = left(p_error, 1024)
    where id = p_seat_change_id and state in ('open', 'stuck');
    perform private.choose_subscription(change.organization_id);
  else
    select * into known from private.stripe_subscriptions where stripe_subscription_id = change.stripe_subscription_id;
    if known.version <> (p_answer ->> 'version')::bigint then
      return jsonb_build_object('state', 'ask_stripe', 'version', known.version);
    end if;
    said := private.read_subscription(p_answer -> 'subscription');
    said.organization_id := change.organization_id;
    said.first_payment := known.first_payment;
    said.watermark := to_timestamp((p_answer ->> 'readAt')::bigint);
    said.watermark_asked := true;
    said.watermark_tiebreak := '';
    said.version := 1;
    perform private.record_subscription(said);
    if p_error is null then
      -- Also where an event came first: it knows that a payment is awaited, but not where.
      update public.seat_changes set payment_url = p_answer ->> 'paymentUrl'
      where id = p_seat_change_id and state in ('open', 'awaiting_payment', 'stuck', 'failed');
    else
      update public.seat_changes set state = 'failed', error = left(p_error, 1024)
      where id = p_seat_change_id and state in ('open', 'stuck');
    end if;
    perform private.take_in_subscription(change.organization_id, change.stripe_subscription_id,
      case when p_error is null then p_seat_change_id end);
  end if;
  select * into change from public.seat_changes where id = p_seat_change_id;
  return private.change_answer(change);
end;
$function$;

comment on function public.settle_seat_change(uuid,jsonb,text) is 'Records how Stripe answered a change: p_answer = { version: as start_seat_change() returned it, readAt: seconds, subscription, paymentUrl }, or p_error = the code it was refused with, which takes the change back, or both: Stripe was not asked, for the subscription is another than the one that the change was judged by. Returns the change, or { state: ask_stripe, version } when the subscription has moved meanwhile: fetch it and call again. Definer: the tables take no direct writes. Raises seat_change_not_found (404).';

grant execute on function public.settle_seat_change(uuid,jsonb,text) to service_role;

comment on function public.start_checkout(uuid,text,text,text,integer,text,text,text) is 'Decides whether an organization may buy its first seats and records the intent. Returns { seatChangeId: Stripe''s idempotency key, expiresAt: seconds since 1970, lookupKey, stripeCustomerId or null, organizationName }. Definer: the tables take no direct writes. Raises not_organization_admin (403), subscription_exists (409), seats_below_usage (409) and what private.require_approved() and private.require_plan() raise.';

CREATE OR REPLACE FUNCTION public.start_checkout(p_organization_id uuid, p_clerk_org_id text, p_plan text, p_billing_period text, p_seats integer, p_success_url text, p_cancel_url text, p_actor text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
  price public.plan_prices;
  subscription public.organization_subscriptions;
  change public.seat_changes;
begin
  perform private.set_cause(p_actor, 'start_checkout');
  perform private.require_approved(organization);
  price := private.require_plan(p_plan, p_billing_period, p_seats);

  select * into subscription from public.organization_subscriptions where organization_id = p_organization_id;
  if subscription.status not in ('none', 'canceled', 'incomplete_expired') then
    perform private.refuse(409, 'subscription_exists',
      'The organization has a subscription already: change that one.',
      jsonb_build_object('status', subscription.status, 'plan', subscription.plan,
        'purchasedSeats', subscription.purchased_seats, 'changeWith', 'manage-seats'));
  end if;

  perform private.expire_invitations(p_organization_id);
  select * into organization from public.organizations where id = p_organization_id;
  if p_seats < organization.seats_used then
    perform private.refuse(409, 'seats_below_usage', 'More seats than that are in use.',
      jsonb_build_object('seats', p_seats, 'seatsUsed', organization.seats_used));
  end if;

  update public.seat_changes set state = 'expired'
  where organization_id = p_organization_id and state = 'open' and expires_at <= clock_timestamp();
  -- The same wish again is the same intent, so two clicks end in one session; a
  -- different one takes the place of the last, so that only one can be paid.
  update public.seat_changes set state = 'superseded'
  where organization_id = p_organization_id and state = 'open'
    and (plan, billing_period, seats, success_url, cancel_url)
      <> (p_plan, p_billing_period, p_seats, p_success_url, p_cancel_url);
  insert into public.seat_changes (
    organization_id, kind, plan, billing_period, seats, success_url, cancel_url, actor, expires_at
  ) values (
    p_organization_id, 'checkout', p_plan, p_billing_period, p_seats, p_success_url, p_cancel_url, p_actor,
    -- Within the 24 hours that Stripe keeps an idempotency key and a session.
    date_trunc('second', clock_timestamp()) + interval '23 hours'
  )
  on conflict (organization_id) where state = 'open' do nothing;
  select * into change from public.seat_changes where organization_id = p_organization_id and state = 'open';

  return jsonb_build_object(
    'seatChangeId', change.id,
    'expiresAt', extract(epoch from change.expires_at)::bigint,
    'lookupKey', price.lookup_key,
    'stripeCustomerId', subscription.stripe_customer_id,
    'organizationName', organization.name
  );
end;
$function$;

grant execute on function public.start_checkout(uuid,text,text,text,integer,text,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.start_clerk_limit_push(p_organization_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  organization public.organizations := private.lock_organization(p_organization_id);
  push uuid := gen_random_uuid();
begin
  if organization.clerk_limit_pushed is not distinct from organization.clerk_limit then
    return null;
  end if;
  update private.organization_syncs
  set limit_push_id = push, limit_push_until = clock_timestamp() + private.hold_time()
  where organization_id = p_organization_id and limit_push_until <= clock_timestamp();
  if not found then
    return null;
  end if;
  -- Until Clerk has answered nobody knows what it has.
  update public.organizations set clerk_limit_pushed = null
  where id = p_organization_id and clerk_limit_pushed is not null;
  return jsonb_build_object('pushId', push, 'clerkOrgId', organization.clerk_org_id, 'limit', organization.clerk_limit);
end;
$function$;

comment on function public.start_clerk_limit_push(uuid) is 'Begins to tell Clerk the limit: { pushId, clerkOrgId, limit }, or null when Clerk has it or is being told. Definer: the tables take no direct writes. Raises organization_not_found (404).';

grant execute on function public.start_clerk_limit_push(uuid) to service_role;

CREATE OR REPLACE FUNCTION public.start_member_change(p_organization_id uuid, p_clerk_org_id text, p_clerk_user_id text, p_role text, p_actor text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.start_member_change(uuid,text,text,text,text) is 'Begins to give a member another role, or with p_role null to remove him, before Clerk is asked; a role that takes a seat claims it now. Returns { memberId, role, roleBefore }. Definer: the tables take no direct writes. Raises member_not_found (404), member_change_in_progress (409), last_admin (409), not_organization_admin (403), invalid_request (400) and what private.require_seats() raises.';

grant execute on function public.start_member_change(uuid,text,text,text,text) to service_role;

CREATE OR REPLACE FUNCTION public.start_resend(p_organization_id uuid, p_clerk_org_id text, p_invitation_id uuid, p_actor text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

comment on function public.start_resend(uuid,text,uuid,text) is 'Reserves a new invitation in the place of an old one, whose seat it takes over; one that has ended needs a free seat. Returns { invitationId: the reservation, clerkInvitationId: the old one, to be revoked in Clerk; null when it has ended, email, role }. Definer: the tables take no direct writes. Raises invitation_not_found (404), invitation_closed, invitation_in_progress, already_member, already_invited (409) and what private.require_seats() raises.';

grant execute on function public.start_resend(uuid,text,uuid,text) to service_role;

comment on function public.start_seat_change(uuid,text,integer,text,text,text,text,timestamp with time zone,timestamp with time zone) is 'Decides whether seats, plan or period may be changed and records the intent; fewer seats are given up at once. Plan and period stay unless they are given. p_proration_date: as the preview said. p_now: by the clock that it was said by. The same key again returns the same change. Returns a change { seatChangeId: Stripe''s idempotency key, state, kind, seats, plan, billingPeriod, effectiveAt, paymentUrl, error } and what Stripe needs: { subscriptionId, itemId, version, lookupKey, prorationDate: seconds, startsPeriod: whether the new billing period begins now, isNew: whether this key comes for the first time, periodEnd: seconds, when the period ends that it was judged by, seatsBefore: the quantity that Stripe was known to have }, and for alerts { planBefore }. Definer: the tables take no direct writes. Raises not_organization_admin (403), change_in_progress (409), idempotency_key_reused, proration_date_out_of_range (422), too_many_changes (429) and what private.require_seat_change() raises.';

CREATE OR REPLACE FUNCTION public.start_seat_change(p_organization_id uuid, p_clerk_org_id text, p_seats integer, p_idempotency_key text, p_actor text, p_plan text DEFAULT NULL::text, p_billing_period text DEFAULT NULL::text, p_proration_date timestamp with time zone DEFAULT NULL::timestamp with time zone, p_now timestamp with time zone DEFAULT clock_timestamp())
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  organization public.organizations := private.require_organization_of(p_organization_id, p_clerk_org_id);
  known private.stripe_subscriptions;
  change public.seat_changes;
  other public.seat_changes;
  is_new boolean;
begin
  perform private.set_cause(p_actor, 'start_seat_change');
  select * into change from public.seat_changes
  where organization_id = p_organization_id and idempotency_key = p_idempotency_key;
  is_new := not found;
  if not is_new then
    if change.seats is distinct from p_seats
      or change.plan <> coalesce(p_plan, change.plan_before)
      or change.billing_period <> coalesce(p_billing_period, change.billing_period_before)
      or change.proration_date <> date_trunc('second', coalesce(p_proration_date, change.proration_date)) then
      perform private.refuse(422, 'idempotency_key_reused', 'This Idempotency-Key belongs to another change.');
    end if;
  else
    select * into other from public.seat_changes
    where organization_id = p_organization_id and kind <> 'checkout'
      and state in ('open', 'awaiting_payment', 'stuck');
    if found then
      perform private.refuse(409, 'change_in_progress', 'Another change is under way.', private.change_answer(other));
    end if;
    perform private.expire_invitations(p_organization_id);
    select * into organization from public.organizations where id = p_organization_id;
    change := private.require_seat_change(organization, p_plan, p_billing_period, p_seats);
    perform private.require_proration_date(p_proration_date, (
      select current_period_start from private.stripe_subscriptions as s
      where s.stripe_subscription_id = change.stripe_subscription_id
    ), p_now);
    perform private.require_room_at_stripe(change.stripe_subscription_id, change.kind = 'now');

    -- A checkout that is still open has nothing left to buy.
    update public.seat_changes set state = 'superseded' where organization_id = p_organization_id and state = 'open';
    insert into public.seat_changes (
      organization_id, kind, plan, billing_period, seats, actor, expires_at, idempotency_key, stripe_subscription_id,
      plan_before, billing_period_before, seats_before, renewal_seats_before, proration_date, period_end
    ) values (
      p_organization_id, change.kind, change.plan, change.billing_period, p_seats, p_actor,
      clock_timestamp() + interval '23 hours', p_idempotency_key, change.stripe_subscription_id, change.plan_before,
      change.billing_period_before, change.seats_before, change.renewal_seats_before,
      date_trunc('second', coalesce(p_proration_date, p_now)), change.period_end
    ) returning * into change;
    -- Seats that are given up are given up here first: nobody can take them now.
    perform private.choose_subscription(p_organization_id);
  end if;

  select * into known from private.stripe_subscriptions where stripe_subscription_id = change.stripe_subscription_id;
  return private.change_answer(change) || jsonb_build_object(
    'subscriptionId', change.stripe_subscription_id,
    'itemId', known.stripe_item_id,
    'version', known.version,
    'lookupKey', (
      select lookup_key from public.plan_prices where (plan, billing_period) = (change.plan, change.billing_period)
    ),
    'prorationDate', extract(epoch from change.proration_date)::bigint,
    'startsPeriod', change.billing_period <> change.billing_period_before,
    'isNew', is_new,
    'periodEnd', extract(epoch from change.period_end)::bigint,
    'planBefore', change.plan_before,
    'seatsBefore', change.renewal_seats_before
  );
end;
$function$;

grant execute on function public.start_seat_change(uuid,text,integer,text,text,text,text,timestamp with time zone,timestamp with time zone) to service_role;

CREATE OR REPLACE FUNCTION public.sync_organization_counts(p_organization_id uuid)
 RETURNS TABLE(members_count integer, pending_invitations_count integer, drifted boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  was public.organizations := private.lock_organization(p_organization_id);
  counted record;
begin
  -- First the numbers, from the rows as they are: what follows is added to them.
  update public.organizations as o
  set seat_limit = is_now.seat_limit, subscription_plan = is_now.plan,
      members_count = is_now.members, pending_invitations_count = is_now.invitations
  from (
    select coalesce(s.purchased_seats, 0) as seat_limit, s.plan, c.members, c.invitations
    from private.counted_seats(p_organization_id) as c
    left join public.organization_subscriptions as s on s.organization_id = p_organization_id
  ) as is_now
  where o.id = p_organization_id
    and (o.seat_limit, o.subscription_plan, o.members_count, o.pending_invitations_count)
      is distinct from (is_now.seat_limit, is_now.plan, is_now.members, is_now.invitations);

  update public.organization_members as m set holds_seat = not m.holds_seat
  where m.organization_id = p_organization_id
    and m.holds_seat <> (m.status = 'active' and private.takes_seat(m.role));
  update public.organization_invitations as i set holds_seat = private.holds_seat(i)
  where i.organization_id = p_organization_id and i.holds_seat <> private.holds_seat(i);
  perform private.refresh_clerk_limit(p_organization_id);
  perform private.book_balances(array[p_organization_id]);

  select * into counted from private.counted_seats(p_organization_id);
  return query select counted.members, counted.invitations,
    (was.members_count, was.pending_invitations_count) <> (counted.members, counted.invitations);
end;
$function$;

comment on function public.sync_organization_counts(uuid) is 'Counts members and invitations afresh and repairs what had drifted, seat_limit too (which needs someone who switched triggers off). Returns the counts, and whether they had drifted. Definer: the tables take no direct writes. Raises organization_not_found (404).';

grant execute on function public.sync_organization_counts(uuid) to service_role;

CREATE OR REPLACE FUNCTION public.unknown_stripe_events(p_event_ids text[])
 RETURNS SETOF text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select asked.event_id
  from unnest(p_event_ids) as asked (event_id)
  where not exists (
    select from private.webhook_events as known
    where known.provider = 'stripe' and known.event_id = asked.event_id
  );
$function$;

comment on function public.unknown_stripe_events(text[]) is 'Those of these events that have not been worked off. Definer: schema private is closed.';

grant execute on function public.unknown_stripe_events(text[]) to service_role;
