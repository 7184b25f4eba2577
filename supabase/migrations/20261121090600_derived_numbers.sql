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

create function private.clerk_limit_of(p_organization_id uuid, p_seats integer) returns integer
language plpgsql
stable
set search_path = ''
as $$
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
$$;

comment on function private.clerk_limit_of(uuid, integer) is
  'The limit that Clerk has to have when so many seats can be used: those, and the people who need none (Clerk counts everybody, pending invitations too); at least 1, the owner (Clerk: max_allowed_memberships, 0 is unlimited).';

create function private.refresh_clerk_limit(p_organization_id uuid) returns void
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.refresh_clerk_limit(uuid) is 'Derives clerk_limit again: see private.clerk_limit_of().';

create function private.follow_purchased_seats() returns trigger
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.follow_purchased_seats() is
  'Trigger: the one writer of organizations.seat_limit, which is always organization_subscriptions.purchased_seats, and of what else follows the subscription: plan and Clerk''s limit.';

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
        and newer.id <> p_invitation.id
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

create type private.holder_change as (
  id uuid,
  organization_id uuid,
  emails text[],
  clerk_user_ids text[],
  seats integer,
  seatless boolean,
  before jsonb,
  after jsonb
);

comment on type private.holder_change is
  'What a statement has changed of one member or invitation: who it is and was (for a member also by user id), the seats more or less, whether a role that takes no seat is concerned, and what the account book keeps of it.';

create function private.refresh_holds_seat(p_invitation_ids uuid[]) returns void
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.refresh_holds_seat(uuid[]) is 'Derives holds_seat of these invitations again.';

create function private.count_seats(p_kind text, p_organization_id uuid, p_seats integer) returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_seats <> 0 then
    update public.organizations set
      members_count = members_count + case p_kind when 'member' then p_seats else 0 end,
      pending_invitations_count = pending_invitations_count + case p_kind when 'invitation' then p_seats else 0 end,
      updated_at = clock_timestamp()
    where id = p_organization_id;
  end if;
end;
$$;

comment on function private.count_seats(text, uuid, integer) is
  'Adds to members_count (p_kind member) or pending_invitations_count (invitation).';

create function private.take_in_holders(p_kind text, p_changes private.holder_change[]) returns void
language plpgsql
set search_path = ''
-- With an array Postgres would plan each statement anew every time.
set plan_cache_mode = 'force_generic_plan'
as $$
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
$$;

comment on function private.take_in_holders(text, private.holder_change[]) is
  'What follows from changed members or invitations (p_kind): counts them, hands seats on between those who are one person, derives Clerk''s limit and books the changes.';

create function private.member_change(p_before public.organization_members, p_after public.organization_members)
returns private.holder_change
language plpgsql
stable
set search_path = ''
as $$
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
$$;

comment on function private.member_change(public.organization_members, public.organization_members) is
  'What has changed of a member: null before for a new one, null after for a deleted one.';

create function private.members_changed() returns trigger
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.members_changed() is 'Trigger: private.take_in_holders() for the members of a statement.';

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

create function private.invitation_change(p_before public.organization_invitations, p_after public.organization_invitations)
returns private.holder_change
language plpgsql
stable
set search_path = ''
as $$
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
$$;

comment on function private.invitation_change(public.organization_invitations, public.organization_invitations) is
  'What has changed of an invitation: null before for a new one, null after for a deleted one.';

create function private.invitations_changed() returns trigger
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.invitations_changed() is
  'Trigger: private.take_in_holders() for the invitations of a statement.';

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

create function private.guard_seat_limit() returns trigger
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
  return new;
end;
$$;

comment on function private.guard_seat_limit() is
  'Trigger: refuses a seat limit that is not the purchased seats, whoever writes it.';

create function private.guard_counts() returns trigger
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.guard_counts() is
  'Trigger: refuses counts that are not what a fresh count gives, whoever but the counting triggers writes them.';

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

create trigger organizations_guard_seat_limit
  before insert or update of seat_limit on public.organizations
  for each row execute function private.guard_seat_limit();
create trigger organizations_guard_counts
  before insert or update of members_count, pending_invitations_count on public.organizations
  for each row execute function private.guard_counts();

-- That it was compared is no change of an organization; private.count_seats()
-- stamps the row itself.
create trigger organizations_touch_updated_at
  before update of
    id, clerk_org_id, name, slug, status, subscription_plan, join_code, seat_limit, clerk_limit,
    clerk_limit_pushed, clerk_limit_error, clerk_updated_at, deleted_at, created_at
  on public.organizations
  for each row execute function private.touch_updated_at();
-- A derived column is no news of its row: sync would take it for a change since it
-- began to list, and leave the row alone.
create trigger organization_members_touch_updated_at
  before update of
    id, organization_id, clerk_membership_id, clerk_user_id, email, role, status, held_until,
    clerk_created_at, clerk_updated_at, created_at
  on public.organization_members
  for each row execute function private.touch_updated_at();
create trigger organization_invitations_touch_updated_at
  before update of
    id, organization_id, clerk_invitation_id, clerk_user_id, email, role, status, held_until, expires_at,
    invited_by, clerk_created_at, clerk_updated_at, created_at
  on public.organization_invitations
  for each row execute function private.touch_updated_at();
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
$$;

comment on function public.sync_organization_counts(uuid) is
  'Counts members and invitations afresh and repairs what had drifted, seat_limit too (which needs someone who switched triggers off). Returns the counts, and whether they had drifted. Definer: the tables take no direct writes. Raises organization_not_found (404).';
