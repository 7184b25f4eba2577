-- What must hold at every commit, told in plain rows: each line of the answer is a rule that does
-- not. It calls no function and reads no derived column but those that it checks.
with
  org as (select * from public.organizations where id = $1),
  paid as (
    select coalesce((select purchased_seats from public.organization_subscriptions where organization_id = $1), 0) as seats
  ),
  seatless as (select unnest(seatless_roles) as role from private.settings),
  person as (
    select * from public.organization_members where organization_id = $1 and status = 'active'
  ),
  member as (select * from person where role not in (select role from seatless)),
  -- A person who is invited to a seat, but neither in nor invited again later.
  guest as (
    select distinct i.email
    from public.organization_invitations as i
    where i.organization_id = $1 and i.status in ('reserved', 'pending', 'accepted')
      and i.role not in (select role from seatless)
      and not exists (
        select from person as m where m.email = i.email or m.clerk_user_id = i.clerk_user_id
      )
      and not exists (
        select from public.organization_invitations as later
        where later.organization_id = $1 and later.email = i.email and later.status = 'joined'
          and coalesce(later.clerk_created_at, later.created_at) > coalesce(i.clerk_created_at, i.created_at)
      )
  ),
  book as (
    select b.*,
      lag(seats_used) over (order by id) as used_before,
      (select (s.after ->> 'renewal_seats')::integer from public.billing_changes as s
       where s.organization_id = $1 and s.kind = 'subscription' and s.id < b.id and s.after ? 'renewal_seats'
       order by s.id desc limit 1) as renewal_seats
    from public.billing_changes as b
    where b.organization_id = $1
  ),
  last as (select * from book order by id desc limit 1),
  -- How far a row has come in its life; it never goes back, but when a sync looks at Clerk's lists.
  life as (
    select b.id, b.cause,
      array_position(array['requested', 'active', 'rejected', 'removed'], b.before ->> 'status')
        > array_position(array['requested', 'active', 'rejected', 'removed'], b.after ->> 'status') as member_back,
      array_position(array['reserved', 'pending', 'expired', 'revoked', 'accepted', 'joined'], b.before ->> 'status')
        > array_position(array['reserved', 'pending', 'expired', 'revoked', 'accepted', 'joined'], b.after ->> 'status')
        as invitation_back,
      b.kind
    from book as b
  )
select 'the limit is what is paid for' as broken from org, paid where org.seat_limit <> paid.seats
union all
select 'members are counted' from org where members_count <> (select count(*) from member)
union all
select 'invitations are counted' from org where pending_invitations_count <> (select count(*) from guest)
union all
select 'seats used are members and invitations' from org
where seats_used <> members_count + pending_invitations_count
union all
select 'over capacity is said' from org where over_capacity <> (seats_used > seat_limit)
union all
select 'nobody is a member twice' from person group by clerk_user_id having count(*) > 1
union all
select 'each seat is taken by one' from org
where seats_used <> (select count(*) from public.organization_seats where organization_id = $1)
union all
select 'the book ends with the balance' from last, org, paid
where (last.purchased_seats, last.seats_used) <> (paid.seats, org.seats_used)
union all
select 'only facts go past the limit: ' || id || ' ' || cause from book
where cause in ('claim_seats', 'approve_member', 'start_resend', 'start_member_change')
  and seats_used > used_before
  and seats_used > least(purchased_seats, coalesce(renewal_seats, purchased_seats))
union all
select 'members only move forward: ' || id || ' ' || cause from life
where kind = 'member' and member_back and cause not in ('reconcile_organization', 'settle_member')
union all
select 'invitations only move forward: ' || id || ' ' || cause from life
where kind = 'invitation' and invitation_back and cause <> 'reconcile_organization'
union all
select 'one change at a time' from public.seat_changes
where organization_id = $1 and kind <> 'checkout' and state in ('open', 'awaiting_payment', 'stuck')
group by organization_id having count(*) > 1
union all
select 'nobody is left in an organization that is gone' from org
where deleted_at is not null and (seats_used > 0 or exists (select from person));
