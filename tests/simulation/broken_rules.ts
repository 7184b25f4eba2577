import assert from "node:assert/strict";
import type { Clients } from "../functions/clients.ts";

/** A rule that is broken in a function of the database: a piece of it becomes another. */
export interface BrokenRule {
  readonly name: string;
  /** Its signature. */
  readonly in: string;
  readonly was: string;
  readonly is: string;
}

const UNLOCKED = {
  was: "private.organization_in_turn(p_organization_id)",
  is: "(select o from public.organizations as o where o.id = p_organization_id)",
};

/** Rules without which the promise does not hold, each broken by itself. */
export const BROKEN_RULES: readonly BrokenRule[] = [
  {
    name: "the lock of those who take seats is dropped",
    in: "private.lock_organization(uuid)",
    ...UNLOCKED,
  },
  {
    name: "the lock of those who invite and change is dropped",
    in: "private.require_organization_of(uuid,text)",
    ...UNLOCKED,
  },
  {
    name: "the watermark of subscriptions is not looked at",
    in:
      "private.judge_subscription_event(private.stripe_subscriptions,private.stripe_subscriptions," +
      "timestamptz,text,boolean)",
    was: "when p_known.stripe_subscription_id is null or p_created > p_known.watermark then",
    is: "when true then",
  },
  {
    name: "the first event of a second wins",
    in:
      "private.judge_subscription_event(private.stripe_subscriptions,private.stripe_subscriptions," +
      "timestamptz,text,boolean)",
    was: "when p_created < p_known.watermark and not p_known.watermark_asked then",
    is: "when p_created <= p_known.watermark then",
  },
  {
    name: "an older subscription takes the place of the one that is alive",
    in: "private.choose_subscription(uuid)",
    was: "order by private.seats_of(s) > 0 desc, s.stripe_created_at desc,",
    is: "order by s.stripe_created_at,",
  },
  {
    name: "a debit gives seats before the bank has said a word",
    in: "private.seats_of(private.stripe_subscriptions)",
    was: "and p_subscription.first_payment in ('paid', 'assumed')",
    is: "",
  },
  {
    name: "an overdue payment keeps nobody out, however long",
    in: "private.require_open(public.organizations)",
    was: "and grace_until <= now()",
    is: "and false",
  },
  {
    name: "a member who would be one too many is forgotten",
    in: "private.record_membership(public.organizations,jsonb,boolean)",
    was: "begin\n",
    is: "begin if p_organization.seats_used >= p_organization.seat_limit then return; end if;\n",
  },
  {
    name: "an auditor becomes a member without a seat",
    in: "public.start_member_change(uuid,text,text,text,text)",
    was: "perform private.require_seats(p_organization_id, 1);",
    is: "",
  },
  {
    name: "what is paid for changes without an entry in the account book",
    in: "private.book_subscription()",
    was: "if coalesce(before, after) <> '{}' then",
    is: "if false then",
  },
  {
    name: "the tombstone of a member is ignored",
    in: "private.record_membership(public.organizations,jsonb,boolean)",
    was: "ended := ended or coalesce(member.status in ('removed', 'rejected'), false);",
    is: "",
  },
  {
    name: "the tombstone of an invitation is ignored",
    in: "private.later_invitation_status(text,text)",
    was: "'joined', 'accepted', 'revoked', 'expired', 'pending', 'reserved'",
    is: "'pending', 'joined', 'accepted', 'revoked', 'expired', 'reserved'",
  },
  {
    name: "the intent of a change is not written",
    in: "public.start_seat_change(uuid,text,integer,text,text,text,text,timestamptz,timestamptz)",
    was: ") returning * into change;",
    is: ") returning * into change; delete from public.seat_changes where id = change.id;",
  },
  {
    name: "the intent of a decrease is forgotten: the seats that are paid for go at once",
    in: "private.held_change(private.stripe_subscriptions)",
    was: "and c.kind = 'renewal'",
    is: "and false",
  },
  {
    name: "the trigger that sets the limit does nothing",
    in: "private.follow_purchased_seats()",
    was: "begin\n",
    is: "begin return null;\n",
  },
  {
    name: "members are counted once too often",
    in: "private.member_change(public.organization_members,public.organization_members)",
    was: " - coalesce(p_before.holds_seat::integer, 0)",
    is: "",
  },
  {
    name: "seats that are given up can still be taken",
    in: "public.check_organization_capacity(uuid)",
    was: "least(o.seat_limit, s.renewal_seats) - o.seats_used",
    is: "o.seat_limit - o.seats_used",
  },
  {
    name: "who accepts loses the seat until the membership comes",
    in: "private.holds_seat(public.organization_invitations)",
    was: "p_invitation.status in ('reserved', 'pending', 'accepted')",
    is: "p_invitation.status in ('reserved', 'pending')",
  },
  {
    name: "whoever has joined holds the seat of the invitation as well",
    in: "private.holds_seat(public.organization_invitations)",
    was: "m.status = 'active'",
    is: "false",
  },
  {
    name: "a sweep leaves members whom Clerk does not know",
    in: "private.end_unlisted_members(uuid,jsonb,timestamptz)",
    was: "m.status = 'active'",
    is: "false",
  },
  {
    name: "a sweep does not look at Stripe",
    in: "public.reconcile_organization(jsonb,jsonb,jsonb,text)",
    was: "if p_stripe ? 'subscriptions' and",
    is: "if false and",
  },
];

/** The function in which a rule can be broken, as it is; throws where it reads otherwise by now. */
export async function definitionOf(
  { sql }: Pick<Clients, "sql">,
  rule: BrokenRule,
): Promise<string> {
  const [row] = await sql<{ definition: string }[]>`
    select pg_get_functiondef(${rule.in}::regprocedure) as definition`;
  const definition = row?.definition ?? "";
  assert(definition.includes(rule.was), `${rule.in} does not read "${rule.was}" any more`);
  return definition;
}

/** Runs while a rule is broken, and mends it afterwards. */
export async function whileBroken<Result>(
  clients: Pick<Clients, "sql">,
  rule: BrokenRule,
  run: () => Promise<Result>,
): Promise<Result> {
  const { sql } = clients;
  const definition = await definitionOf(clients, rule);
  await sql.unsafe(definition.replaceAll(rule.was, rule.is));
  try {
    return await run();
  } finally {
    await sql.unsafe(definition);
  }
}
