-- The account book: every change of seats, plan, status or membership, for ever.

create table public.billing_changes (
  id bigint generated always as identity,
  organization_id uuid not null,
  kind text not null,
  subject text not null,
  actor text not null,
  cause text not null,
  before jsonb,
  after jsonb,
  purchased_seats integer not null,
  seats_used integer not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint billing_changes_pkey primary key (id),
  constraint billing_changes_organization_id_fkey foreign key (organization_id) references public.organizations (id),
  constraint billing_changes_kind_known check (kind in ('organization', 'subscription', 'member', 'invitation'))
);

create index billing_changes_organization_id_idx on public.billing_changes (organization_id, id desc);

comment on table public.billing_changes is
  'The account book. It only grows: updates, deletes and truncates are refused.';
comment on column public.billing_changes.subject is
  'Id of the row that changed: an organization (also for its subscription), a member or an invitation.';
comment on column public.billing_changes.actor is
  'Who did it: a Clerk user id, ''clerk'', ''stripe'', ''sync'', or the database role that wrote around the functions.';
comment on column public.billing_changes.cause is 'What for: an event id (evt_…, msg_…), the name of a command, or ''sql''.';
comment on column public.billing_changes.before is 'The fields that changed, as they were; null for a new row.';
comment on column public.billing_changes.after is 'The same fields, as they are; null for a deleted row.';
comment on column public.billing_changes.purchased_seats is
  'The balance, as on a bank statement: purchased seats once the statement that this row is of was done.';
comment on column public.billing_changes.seats_used is 'The balance: seats used once the statement that this row is of was done.';

create function private.refuse_rewriting_history() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform private.refuse(403, 'account_book_only_grows', 'The account book can only be added to.');
  return null;
end;
$$;

comment on function private.refuse_rewriting_history() is 'Trigger: refuses to change or remove rows of the account book.';

create trigger billing_changes_only_grow
  before update or delete or truncate on public.billing_changes
  for each statement execute function private.refuse_rewriting_history();

create function private.current_actor() returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(nullif(current_setting('seatkeeper.actor', true), ''), session_user::text);
end;
$$;

comment on function private.current_actor() is 'Who acts in this transaction, as private.set_cause() said it.';

create function private.current_cause() returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(nullif(current_setting('seatkeeper.cause', true), ''), 'sql');
end;
$$;

comment on function private.current_cause() is 'What this transaction is for, as private.set_cause() said it.';

create function private.book_balances(p_organization_ids uuid[]) returns void
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.book_balances(uuid[]) is
  'Books the balances that no row accounts for: when it shows that two people are one, a seat is free without any change of status.';

create function private.book_organization() returns trigger
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.book_organization() is 'Trigger: books a new organization, its status and its end.';

create trigger organizations_booked
  after insert or update of status, deleted_at on public.organizations
  for each row execute function private.book_organization();

create function private.book_subscription() returns trigger
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.book_subscription() is
  'Trigger: books what changed of a subscription: seats, plan, period, status, cancelling.';

create trigger organization_subscriptions_booked
  after insert or update or delete on public.organization_subscriptions
  for each row execute function private.book_subscription();
