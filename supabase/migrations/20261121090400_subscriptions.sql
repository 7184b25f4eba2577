-- What is paid for: every seat subscription that Stripe has told us of, and the
-- one of them that counts now.

create table private.stripe_subscriptions (
  stripe_subscription_id text not null,
  organization_id uuid not null,
  stripe_item_id text,
  status text not null,
  plan text,
  billing_period text,
  quantity integer not null,
  current_period_start timestamptz,
  current_period_end timestamptz,
  pending_update boolean not null default false,
  cancel_at_period_end boolean not null default false,
  first_payment text not null default 'unknown',
  stripe_created_at timestamptz not null,
  watermark timestamptz not null,
  watermark_asked boolean not null default false,
  watermark_tiebreak text not null default '',
  version bigint not null default 1,
  constraint stripe_subscriptions_pkey primary key (stripe_subscription_id),
  constraint stripe_subscriptions_organization_id_fkey
    foreign key (organization_id) references public.organizations (id),
  constraint stripe_subscriptions_plan_fkey foreign key (plan) references public.plans (id)
);

create function private.is_sound(p_subscription private.stripe_subscriptions) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_subscription.quantity >= 0
    and p_subscription.first_payment in ('unknown', 'assumed', 'awaited', 'paid');
end;
$$;

comment on function private.is_sound(private.stripe_subscriptions) is
  'What holds in each row of stripe_subscriptions: see private.is_sound(public.organizations).';

alter table private.stripe_subscriptions add constraint stripe_subscriptions_sound check (private.is_sound(stripe_subscriptions));

create index stripe_subscriptions_organization_id_idx on private.stripe_subscriptions (organization_id);
create index stripe_subscriptions_plan_idx on private.stripe_subscriptions (plan);

comment on table private.stripe_subscriptions is
  'One row a seat subscription, with what Stripe last said of it. organization_subscriptions is chosen from these.';
comment on column private.stripe_subscriptions.first_payment is
  'paid once Stripe has said that its first invoice is paid (or that none is due); awaited when Checkout ended unpaid. Only paid subscriptions give seats.';
comment on column private.stripe_subscriptions.watermark is
  'Stripe''s time up to which events are already in here: an older one is stale. Events have whole seconds (Stripe: Event object, created).';
comment on column private.stripe_subscriptions.watermark_asked is
  'The row was read from Stripe, not from an event: an event up to the watermark may be older or newer than it, so Stripe is asked again.';
comment on column private.stripe_subscriptions.watermark_tiebreak is
  'Settles two events of one second when Stripe does not know the subscription and so cannot be asked.';
comment on column private.stripe_subscriptions.version is
  'Counts writes: an answer of Stripe''s that was asked for at an older version is asked for again.';

create table public.organization_subscriptions (
  organization_id uuid not null,
  stripe_customer_id text,
  stripe_seat_subscription_id text,
  stripe_seat_item_id text,
  status text not null default 'none',
  plan text,
  seat_billing_period text,
  purchased_seats integer not null default 0,
  renewal_seats integer,
  current_period_end timestamptz,
  cancel_at_period_end boolean not null default false,
  grace_until timestamptz,
  granted_seats integer not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint organization_subscriptions_pkey primary key (organization_id),
  constraint organization_subscriptions_organization_id_fkey
    foreign key (organization_id) references public.organizations (id),
  constraint organization_subscriptions_stripe_customer_id_unique unique (stripe_customer_id),
  constraint organization_subscriptions_stripe_seat_subscription_id_unique unique (stripe_seat_subscription_id),
  constraint organization_subscriptions_plan_fkey foreign key (plan) references public.plans (id)
);

create function private.is_sound(p_subscription public.organization_subscriptions) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return length(p_subscription.stripe_customer_id) between 1 and 255
    and p_subscription.status in (
      'none', 'incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'canceled', 'unpaid', 'paused'
    )
    and p_subscription.seat_billing_period in ('monthly', 'yearly')
    and least(p_subscription.purchased_seats, p_subscription.renewal_seats, p_subscription.granted_seats) >= 0;
end;
$$;

comment on function private.is_sound(public.organization_subscriptions) is
  'What holds in each row of organization_subscriptions: see private.is_sound(public.organizations).';

alter table public.organization_subscriptions add constraint organization_subscriptions_sound check (private.is_sound(organization_subscriptions));

create index organization_subscriptions_plan_idx on public.organization_subscriptions (plan);

comment on table public.organization_subscriptions is
  'The current subscription of an organization: one row each, present from the first checkout on.';
comment on column public.organization_subscriptions.status is 'Stripe''s subscription status; none before the first.';
comment on column public.organization_subscriptions.purchased_seats is
  'Seats paid for in the current billing period; organizations.seat_limit follows it by trigger.';
comment on column public.organization_subscriptions.renewal_seats is
  'Seats that the next invoice bills: the quantity on the Stripe item. Null without a subscription.';
comment on column private.stripe_subscriptions.pending_update is
  'A change waits for its payment (Stripe: pending updates); the other columns are as before it.';
comment on column public.organization_subscriptions.grace_until is
  'Until when an organization whose payment is overdue may still add people; null while nothing is overdue.';
comment on column public.organization_subscriptions.granted_seats is
  'Free seats, given by grant_seats(). They count while no subscription gives any.';

create table public.seat_changes (
  id uuid not null default gen_random_uuid(),
  organization_id uuid not null,
  kind text not null,
  state text not null default 'open',
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
  proration_date timestamptz,
  period_end timestamptz,
  payment_url text,
  error text,
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint seat_changes_pkey primary key (id),
  constraint seat_changes_organization_id_fkey foreign key (organization_id) references public.organizations (id),
  constraint seat_changes_kind_known check (kind in ('checkout', 'now', 'renewal')),
  constraint seat_changes_state_known check (state in (
    'open', 'awaiting_payment', 'scheduled', 'completed', 'failed', 'expired', 'superseded', 'stuck'
  )),
  constraint seat_changes_price_fkey
    foreign key (plan, billing_period) references public.plan_prices (plan, billing_period),
  constraint seat_changes_seats_positive check (seats > 0),
  constraint seat_changes_checkout_returns
    check (kind <> 'checkout' or success_url is not null and cancel_url is not null),
  constraint seat_changes_change_knows_before check (kind = 'checkout' or (
    stripe_subscription_id is not null and plan_before is not null and billing_period_before is not null
    and seats_before is not null and renewal_seats_before is not null and period_end is not null
    and idempotency_key is not null and proration_date is not null
  )),
  constraint seat_changes_urls_bounded check (length(success_url) <= 2048 and length(cancel_url) <= 2048),
  constraint seat_changes_actor_bounded check (length(actor) between 1 and 255),
  constraint seat_changes_session_unique unique (stripe_checkout_session_id),
  constraint seat_changes_idempotency_key_unique unique (organization_id, idempotency_key),
  constraint seat_changes_idempotency_key_bounded check (length(idempotency_key) between 1 and 255),
  constraint seat_changes_payment_url_bounded check (length(payment_url) <= 2048),
  constraint seat_changes_error_bounded check (length(error) <= 1024),
  constraint seat_changes_plan_before_fkey foreign key (plan_before) references public.plans (id)
);

create unique index seat_changes_one_open on public.seat_changes (organization_id) where state = 'open';
create unique index seat_changes_one_change_at_a_time on public.seat_changes (organization_id)
  where state in ('open', 'awaiting_payment', 'stuck') and kind <> 'checkout';
create index seat_changes_organization_id_idx on public.seat_changes (organization_id, created_at desc);
create index seat_changes_subscription_idx on public.seat_changes (stripe_subscription_id, created_at desc)
  where stripe_subscription_id is not null;
create index seat_changes_price_idx on public.seat_changes (plan, billing_period);
create index seat_changes_plan_before_idx on public.seat_changes (plan_before);

comment on table public.seat_changes is
  'Intents to change what is paid for, written before Stripe is called, and how each ended. The id is Stripe''s idempotency key.';
comment on column public.seat_changes.kind is
  'checkout: the first purchase, through Stripe Checkout. now: charged, and granted once it is paid. renewal: free, and in force from the next period on.';
comment on column public.seat_changes.state is
  'open (Stripe is being asked) → completed; awaiting_payment → completed, expired or failed; scheduled (a renewal change that Stripe knows) → completed when the period ends; failed: Stripe refused, nothing changed; superseded by a later one; stuck: could not be rolled back, the next sweep settles it.';
comment on column public.seat_changes.idempotency_key is 'The caller''s Idempotency-Key.';
comment on column public.seat_changes.seats_before is 'Purchased seats when the change was made; a renewal change keeps them until period_end.';
comment on column public.seat_changes.period_end is 'End of the period that the change was made in.';
comment on column public.seat_changes.payment_url is 'Stripe''s page to pay an awaited payment on.';
comment on column public.seat_changes.error is 'What Stripe refused a failed change with: its code, never its text.';
comment on column public.seat_changes.actor is 'Clerk user id of who asked for it.';
comment on column public.seat_changes.proration_date is 'The moment that Stripe prorates from, as in the preview.';
comment on column public.seat_changes.expires_at is 'When Stripe closes the Checkout Session, or forgets the idempotency key.';
