-- Who keeps seat_limit, members_count and pending_invitations_count: these
-- triggers, and nobody else.

create function private.takes_seat(p_role text) returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select p_role <> all (seatless_roles) from private.settings);
end;
$$;

comment on function private.takes_seat(text) is 'Whether people with this Clerk role need a seat.';

create function private.refresh_clerk_limit(p_organization_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.organizations as o set clerk_limit = wanted.clerk_limit, clerk_limit_error = null
  from (
    select greatest(1, least(org.seat_limit, s.renewal_seats) + (
      select count(*) from public.organization_members as m
      where m.organization_id = org.id and m.status = 'active' and not m.holds_seat
    ) + (
      select count(*) from public.organization_invitations as i
      where i.organization_id = org.id and i.status in ('reserved', 'pending', 'accepted')
        and i.role = any (array(select unnest(seatless_roles) from private.settings))
    ))::integer as clerk_limit
    from public.organizations as org
    left join public.organization_subscriptions as s on s.organization_id = org.id
    where org.id = p_organization_id
  ) as wanted
  where o.id = p_organization_id and o.clerk_limit <> wanted.clerk_limit;
end;
$$;

comment on function private.refresh_clerk_limit(uuid) is
  'Derives clerk_limit: the seats that can be used, and those who need none (Clerk counts everybody, pending invitations too); at least 1, the owner (Clerk: max_allowed_memberships, 0 is unlimited).';

create function private.follow_purchased_seats() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and new.organization_id <> old.organization_id then
    perform private.refuse(409, 'subscription_moved', 'A subscription cannot move to another organization.');
  end if;
  if tg_op = 'DELETE' then
    update public.organizations set seat_limit = 0, subscription_plan = null where id = old.organization_id;
    perform private.refresh_clerk_limit(old.organization_id);
  else
    update public.organizations set seat_limit = new.purchased_seats, subscription_plan = new.plan
    where id = new.organization_id
      and (seat_limit, subscription_plan) is distinct from (new.purchased_seats, new.plan);
    perform private.refresh_clerk_limit(new.organization_id);
  end if;
  return null;
end;
$$;

comment on function private.follow_purchased_seats() is
  'Trigger: the one writer of organizations.seat_limit, which is always organization_subscriptions.purchased_seats.';

create trigger organization_subscriptions_set_seat_limit
  after insert or update or delete on public.organization_subscriptions
  for each row execute function private.follow_purchased_seats();

create function private.holds_seat(p_invitation public.organization_invitations) returns boolean
language plpgsql
stable
set search_path = ''
as $$
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
        -- Clerk invites nobody twice at once: the older one has ended, and its
        -- end is still on the way, even when the newer one has led to a member.
        and newer.status in ('reserved', 'pending', 'accepted', 'joined')
        and (coalesce(newer.clerk_created_at, newer.created_at), newer.id)
          > (coalesce(p_invitation.clerk_created_at, p_invitation.created_at), p_invitation.id)
    );
end;
$$;

comment on function private.holds_seat(public.organization_invitations) is
  'Whether an invitation counts as a seat: one person holds one, whether as a member or through the newest live invitation.';

create function private.set_holds_seat() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- Whoever changes seats holds the organization's row first, by whatever way
  -- he comes: so he sees the members and invitations of all who came before.
  perform from public.organizations where id = new.organization_id for no key update;
  new.holds_seat := private.holds_seat(new);
  return new;
end;
$$;

comment on function private.set_holds_seat() is 'Trigger: derives holds_seat of the invitation that is written.';

create trigger organization_invitations_set_holds_seat
  before insert or update of
    id, organization_id, clerk_user_id, email, role, status, holds_seat, clerk_created_at, created_at
  on public.organization_invitations
  for each row execute function private.set_holds_seat();

create function private.set_member_holds_seat() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- Whoever changes seats holds the organization's row first: see
  -- private.set_holds_seat().
  perform from public.organizations where id = new.organization_id for no key update;
  new.holds_seat := new.status = 'active' and private.takes_seat(new.role);
  return new;
end;
$$;

comment on function private.set_member_holds_seat() is 'Trigger: derives holds_seat of the member that is written.';

create trigger organization_members_set_holds_seat
  before insert or update on public.organization_members
  for each row execute function private.set_member_holds_seat();

create function private.refresh_holds_seat(p_organization_ids uuid[], p_emails text[], p_clerk_user_ids text[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  wrong uuid[] := array(
    select i.id
    from public.organization_invitations as i
    where i.organization_id = any (p_organization_ids)
      and (i.email = any (p_emails) or i.clerk_user_id = any (p_clerk_user_ids))
      and i.holds_seat <> private.holds_seat(i)
  );
begin
  -- An update that meets no row has its triggers called all the same.
  if wrong <> '{}' then
    update public.organization_invitations set holds_seat = not holds_seat where id = any (wrong);
  end if;
end;
$$;

comment on function private.refresh_holds_seat(uuid[], text[], text[]) is
  'Derives holds_seat again for the invitations of these people.';

-- With arrays Postgres would plan each of these statements anew every time.
create function private.members_changed() returns trigger
language plpgsql
set search_path = ''
set plan_cache_mode = 'force_generic_plan'
as $$
declare
  gone public.organization_members[] := '{}';
  come public.organization_members[] := '{}';
  touched uuid[];
  unbooked uuid[];
begin
  if tg_op <> 'INSERT' then
    gone := array(select r from rows_before as r);
  end if;
  if tg_op <> 'DELETE' then
    come := array(select r from rows_after as r);
  end if;
  touched := array(select distinct organization_id from unnest(gone || come));
  if touched = '{}' then
    return null;
  end if;

  update public.organizations as o set members_count = o.members_count + d.change
  from (
    select organization_id, sum(n) as change
    from (
      select organization_id, -1 as n from unnest(gone) where holds_seat
      union all
      select organization_id, 1 from unnest(come) where holds_seat
    ) as r
    group by organization_id
  ) as d
  where o.id = d.organization_id and d.change <> 0;

  perform private.refresh_holds_seat(
    array_agg(organization_id), array_agg(email), array_agg(clerk_user_id)
  )
  from (select * from unnest(gone) union all select * from unnest(come)) as r
  having count(*) filter (where status = 'active') > 0;

  perform private.refresh_clerk_limit(organization_id)
  from (select * from unnest(gone) union all select * from unnest(come)) as r
  where not private.takes_seat(role)
  group by organization_id;

  with booked as (
    insert into public.billing_changes (
      organization_id, kind, subject, actor, cause, before, after, purchased_seats, seats_used
    )
    select balance.organization_id, 'member', coalesce(a.id, b.id), private.current_actor(), private.current_cause(),
      case when b.id is not null then jsonb_build_object('status', b.status, 'role', b.role) end,
      case when a.id is not null then jsonb_build_object('status', a.status, 'role', a.role) end,
      balance.purchased_seats, balance.seats_used
    from unnest(gone) as b
    full join unnest(come) as a on a.id = b.id
    join private.balances_of(touched) as balance
      on balance.organization_id = coalesce(a.organization_id, b.organization_id)
    where (a.status, a.role) is distinct from (b.status, b.role)
    returning organization_id
  )
  select array(select unnest(touched) except select organization_id from booked) into unbooked;
  -- One level deeper the statement that has led here is still to be booked.
  if pg_trigger_depth() = 1 and unbooked <> '{}' then
    perform private.book_balances(unbooked);
  end if;
  return null;
end;
$$;

comment on function private.members_changed() is
  'Trigger: counts members, lets their invitations give up or take back the seat, and books the change.';

create trigger organization_members_inserted
  after insert on public.organization_members
  referencing new table as rows_after
  for each statement execute function private.members_changed();
create trigger organization_members_updated
  after update on public.organization_members
  referencing old table as rows_before new table as rows_after
  for each statement execute function private.members_changed();
create trigger organization_members_deleted
  after delete on public.organization_members
  referencing old table as rows_before
  for each statement execute function private.members_changed();

-- With arrays Postgres would plan each of these statements anew every time.
create function private.invitations_changed() returns trigger
language plpgsql
set search_path = ''
set plan_cache_mode = 'force_generic_plan'
as $$
declare
  gone public.organization_invitations[] := '{}';
  come public.organization_invitations[] := '{}';
  touched uuid[];
  unbooked uuid[];
begin
  if tg_op <> 'INSERT' then
    gone := array(select r from rows_before as r);
  end if;
  if tg_op <> 'DELETE' then
    come := array(select r from rows_after as r);
  end if;
  -- Most of the updates of a long run only hold seats for longer.
  if tg_op = 'UPDATE' and not exists (
    select from unnest(gone) as b full join unnest(come) as a on a.id = b.id
    where (a.organization_id, a.email, a.clerk_user_id, a.role, a.status, a.holds_seat, a.clerk_created_at)
      is distinct from (b.organization_id, b.email, b.clerk_user_id, b.role, b.status, b.holds_seat, b.clerk_created_at)
  ) then
    return null;
  end if;
  touched := array(select distinct organization_id from unnest(gone || come));
  if touched = '{}' then
    return null;
  end if;

  update public.organizations as o set pending_invitations_count = o.pending_invitations_count + d.change
  from (
    select organization_id, sum(n) as change
    from (
      select organization_id, -1 as n from unnest(gone) where holds_seat
      union all
      select organization_id, 1 from unnest(come) where holds_seat
    ) as r
    group by organization_id
  ) as d
  where o.id = d.organization_id and d.change <> 0;

  -- A change of who is alive moves the seat to another invitation of the same person.
  perform private.refresh_holds_seat(touched, array(select email from unnest(gone || come)), '{}');

  perform private.refresh_clerk_limit(organization_id)
  from (select * from unnest(gone) union all select * from unnest(come)) as r
  where not private.takes_seat(role)
  group by organization_id;

  with booked as (
    insert into public.billing_changes (
      organization_id, kind, subject, actor, cause, before, after, purchased_seats, seats_used
    )
    select balance.organization_id, 'invitation', coalesce(a.id, b.id), private.current_actor(), private.current_cause(),
      case when b.id is not null then jsonb_build_object('status', b.status, 'role', b.role) end,
      case when a.id is not null then jsonb_build_object('status', a.status, 'role', a.role) end,
      balance.purchased_seats, balance.seats_used
    from unnest(gone) as b
    full join unnest(come) as a on a.id = b.id
    join private.balances_of(touched) as balance
      on balance.organization_id = coalesce(a.organization_id, b.organization_id)
    where (a.status, a.role) is distinct from (b.status, b.role)
    returning organization_id
  )
  select array(select unnest(touched) except select organization_id from booked) into unbooked;
  -- One level deeper the statement that has led here is still to be booked.
  if pg_trigger_depth() = 1 and unbooked <> '{}' then
    perform private.book_balances(unbooked);
  end if;
  return null;
end;
$$;

comment on function private.invitations_changed() is
  'Trigger: counts the invitations that hold a seat, hands the seat on between invitations of one person, and books the change.';

create trigger organization_invitations_inserted
  after insert on public.organization_invitations
  referencing new table as rows_after
  for each statement execute function private.invitations_changed();
create trigger organization_invitations_updated
  after update on public.organization_invitations
  referencing old table as rows_before new table as rows_after
  for each statement execute function private.invitations_changed();
create trigger organization_invitations_deleted
  after delete on public.organization_invitations
  referencing old table as rows_before
  for each statement execute function private.invitations_changed();

create function private.guard_derived_numbers() returns trigger
language plpgsql
set search_path = ''
as $$
declare
  purchased integer := coalesce(
    (select s.purchased_seats from public.organization_subscriptions as s where s.organization_id = new.id), 0
  );
begin
  if new.seat_limit <> purchased then
    perform private.refuse(403, 'derived_column', 'seat_limit follows purchased_seats and cannot be written.',
      jsonb_build_object('column', 'seat_limit', 'value', new.seat_limit, 'derived', purchased));
  end if;
  -- The counting triggers run one level deeper. Anyone else may only write what
  -- a fresh count gives, which is how sync_organization_counts() repairs.
  if pg_trigger_depth() < 2 and (
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
$$;

comment on function private.guard_derived_numbers() is
  'Trigger: refuses a derived number that is not what it is derived from, whoever writes it.';

create function private.counted_seats(p_organization_id uuid, out members integer, out invitations integer)
language sql
stable
set search_path = ''
as $$
  select
    (select count(*) from public.organization_members as m
     where m.organization_id = p_organization_id and m.holds_seat)::integer,
    (select count(*) from public.organization_invitations as i
     where i.organization_id = p_organization_id and i.holds_seat)::integer;
$$;

comment on function private.counted_seats(uuid) is 'Members and seat-holding invitations, counted afresh.';

create trigger organizations_guard_derived_numbers
  before insert or update of seat_limit, members_count, pending_invitations_count on public.organizations
  for each row execute function private.guard_derived_numbers();

-- That it was compared is no change of an organization.
create trigger organizations_touch_updated_at
  before update on public.organizations
  for each row
  when (old.last_synced_at is not distinct from new.last_synced_at)
  execute function private.touch_updated_at();
-- A derived column is no news of its row: sync would take it for a change since it
-- began to list, and leave the row alone.
create trigger organization_members_touch_updated_at
  before update on public.organization_members
  for each row
  when (to_jsonb(old) - 'holds_seat' is distinct from to_jsonb(new) - 'holds_seat')
  execute function private.touch_updated_at();
create trigger organization_invitations_touch_updated_at
  before update on public.organization_invitations
  for each row
  when (to_jsonb(old) - 'holds_seat' is distinct from to_jsonb(new) - 'holds_seat')
  execute function private.touch_updated_at();
create trigger organization_subscriptions_touch_updated_at
  before update on public.organization_subscriptions
  for each row execute function private.touch_updated_at();
create trigger seat_changes_touch_updated_at
  before update on public.seat_changes
  for each row execute function private.touch_updated_at();

create function private.refuse_truncate() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform private.refuse(403, 'truncate_refused', 'Rows that are counted cannot be truncated: delete them.');
  return null;
end;
$$;

comment on function private.refuse_truncate() is 'Trigger: a truncate would leave the counts behind.';

create trigger organization_members_refuse_truncate
  before truncate on public.organization_members
  for each statement execute function private.refuse_truncate();
create trigger organization_invitations_refuse_truncate
  before truncate on public.organization_invitations
  for each statement execute function private.refuse_truncate();
create trigger organization_subscriptions_refuse_truncate
  before truncate on public.organization_subscriptions
  for each statement execute function private.refuse_truncate();

create function public.sync_organization_counts(p_organization_id uuid)
returns table (members_count integer, pending_invitations_count integer, drifted boolean)
language plpgsql
security definer
set search_path = ''
as $$
declare
  was public.organizations;
  counted record;
begin
  select * into was from public.organizations as o where o.id = p_organization_id for no key update;
  if not found then
    perform private.refuse(404, 'organization_not_found', 'There is no such organization.');
  end if;
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
$$;

comment on function public.sync_organization_counts(uuid) is
  'Counts members and invitations afresh and repairs what had drifted, seat_limit too (which needs someone who switched triggers off). Returns the counts, and whether they had drifted. Definer: the tables take no direct writes. Raises organization_not_found (404).';
