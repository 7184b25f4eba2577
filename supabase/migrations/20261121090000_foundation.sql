-- What every later migration stands on: the schema that is never exposed, the
-- settings, and the one way to refuse a command.

create schema if not exists private;

comment on schema private is
  'Seatkeeper''s inside: ledgers, settings and helpers. Never exposed through the Data API.';

create table private.settings (
  only_row boolean not null default true,
  default_organization_status text not null default 'approved',
  grace_period interval not null default '7 days',
  seatless_roles text[] not null default '{}',
  constraint settings_pkey primary key (only_row),
  constraint settings_only_row check (only_row),
  constraint settings_default_organization_status_known
    check (default_organization_status in ('pending', 'approved', 'suspended')),
  constraint settings_grace_period_not_negative check (grace_period >= interval '0')
);

comment on table private.settings is 'One row: what an operator may set without a deploy.';
comment on column private.settings.default_organization_status is
  'Status of an organization when Clerk first reports it. ''pending'' makes an operator approve each before it can buy.';

comment on column private.settings.grace_period is
  'How long an organization whose payment is overdue may still add people, from the start of the unpaid period.';

comment on column private.settings.seatless_roles is
  'Clerk role keys whose holders take no seat, for example {org:auditor}. After a change each organization has to be synced.';

insert into private.settings default values;

create function private.refuse(
  p_status integer,
  p_code text,
  p_sentence text,
  p_details jsonb default '{}'
) returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'PT' || p_status,
    message = p_code,
    detail = p_details::text,
    hint = p_sentence;
end;
$$;

comment on function private.refuse(integer, text, text, jsonb) is
  'Raises a refusal: SQLSTATE PTxyz, which PostgREST answers as HTTP status xyz; message = stable code, hint = a sentence for people, detail = JSON for the client.';

create function private.to_uuid(p_text text) returns uuid
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- Postgres 15 has no pg_input_is_valid().
  return case when p_text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_text::uuid end;
end;
$$;

comment on function private.to_uuid(text) is 'A text from outside as uuid, null when it is none.';

create function private.normalize_email(p_email text) returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return nullif(rtrim(left(lower(btrim(p_email)), 320)), '');
end;
$$;

comment on function private.normalize_email(text) is
  'How an e-mail address is stored and compared: trimmed, lower case, null when empty.';

create function private.set_cause(p_actor text, p_cause text) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform set_config('seatkeeper.actor', coalesce(p_actor, ''), true),
          set_config('seatkeeper.cause', coalesce(p_cause, ''), true);
end;
$$;

comment on function private.set_cause(text, text) is
  'Names who acts and why until the transaction ends; billing_changes takes both from here.';

create function private.touch_updated_at() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- The clock, not the transaction's start: sync compares this with the moment
  -- at which it began to list.
  new.updated_at := clock_timestamp();
  return new;
end;
$$;

comment on function private.touch_updated_at() is 'Trigger: stamps updated_at.';
