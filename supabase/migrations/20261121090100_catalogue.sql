-- Plans and their prices. The catalogue is data: changing it needs no code.

create table public.plans (
  id text not null,
  name text not null,
  min_seats integer not null,
  max_seats integer not null,
  included_seats integer not null,
  rank integer not null,
  constraint plans_pkey primary key (id),
  constraint plans_id_bounded check (id ~ '^[a-z][a-z0-9_]{0,31}$'),
  constraint plans_name_bounded check (length(name) between 1 and 64),
  constraint plans_seats_ordered check (min_seats between 1 and max_seats),
  constraint plans_included_seats_bounded check (included_seats between 0 and max_seats),
  constraint plans_rank_unique unique (rank)
);

comment on table public.plans is 'What can be bought, and for how many seats.';
comment on column public.plans.min_seats is 'Fewest seats that this plan sells.';
comment on column public.plans.max_seats is 'Most seats that this plan sells.';
comment on column public.plans.included_seats is 'Seats that the base amount pays for.';
comment on column public.plans.rank is 'Order of the plans: moving to a higher rank is an upgrade.';

create table public.plan_prices (
  plan text not null,
  billing_period text not null,
  lookup_key text not null,
  base_amount bigint not null,
  seat_amount bigint not null,
  currency text not null,
  constraint plan_prices_pkey primary key (plan, billing_period),
  constraint plan_prices_plan_fkey foreign key (plan) references public.plans (id),
  constraint plan_prices_lookup_key_unique unique (lookup_key),
  constraint plan_prices_lookup_key_bounded check (length(lookup_key) between 1 and 200),
  constraint plan_prices_billing_period_known check (billing_period in ('monthly', 'yearly')),
  constraint plan_prices_amounts_not_negative check (base_amount >= 0 and seat_amount >= 0),
  constraint plan_prices_currency_iso check (currency ~ '^[a-z]{3}$')
);

comment on table public.plan_prices is
  'One price for each plan and billing period; Stripe has the same price under lookup_key, as a graduated tier.';
comment on column public.plan_prices.lookup_key is 'Stripe''s lookup key of the price.';
comment on column public.plan_prices.base_amount is
  'For a whole billing period, in the currency''s smallest unit; pays for plans.included_seats seats.';
comment on column public.plan_prices.seat_amount is
  'For each seat beyond the included ones and a whole billing period, in the currency''s smallest unit.';
comment on column public.plan_prices.currency is 'ISO 4217, lower case, as Stripe writes it.';

insert into public.plans (id, name, min_seats, max_seats, included_seats, rank) values
  ('pro', 'Pro', 1, 20, 3, 1),
  ('max', 'Max', 21, 50, 21, 2),
  ('ultra', 'Ultra', 51, 100, 51, 3);

insert into public.plan_prices (plan, billing_period, lookup_key, base_amount, seat_amount, currency) values
  ('pro', 'monthly', 'seatkeeper_pro_monthly', 2900, 900, 'usd'),
  ('pro', 'yearly', 'seatkeeper_pro_yearly', 29000, 9000, 'usd'),
  ('max', 'monthly', 'seatkeeper_max_monthly', 18900, 800, 'usd'),
  ('max', 'yearly', 'seatkeeper_max_yearly', 189000, 8000, 'usd'),
  ('ultra', 'monthly', 'seatkeeper_ultra_monthly', 42900, 700, 'usd'),
  ('ultra', 'yearly', 'seatkeeper_ultra_yearly', 429000, 7000, 'usd');
