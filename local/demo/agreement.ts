import { readClerkLists } from "./clerk_lists.ts";
import type { World } from "./world.ts";

/**
 * What Postgres says otherwise than Clerk and Stripe of an organization, one line each: who is a
 * member in which role, who is invited, how many seats are paid for.
 */
export async function disagreements(world: World, clerkId: string): Promise<string[]> {
  const [ours, theirs] = await Promise.all([inPostgres(world, clerkId), outside(world, clerkId)]);
  return [
    ...ours.filter((fact) => !theirs.includes(fact)).map((fact) => `only here: ${fact}`),
    ...theirs.filter((fact) => !ours.includes(fact)).map((fact) => `not here: ${fact}`),
  ];
}

async function inPostgres({ sql }: World, clerkId: string): Promise<string[]> {
  const rows = await sql<{ fact: string }[]>`
    with org as (select * from public.organizations where clerk_org_id = ${clerkId})
    select concat_ws(' ', 'member', clerk_user_id, role) as fact
    from public.organization_members where organization_id = (select id from org) and status = 'active'
    union all
    select concat_ws(' ', 'invited', email, role) from public.organization_invitations
    where organization_id = (select id from org) and status in ('reserved', 'pending')
    union all
    select concat_ws(' ', 'seats', seat_limit) from org`;
  return rows.map(({ fact }) => fact);
}

async function outside({ clerk, sql, stripe }: World, clerkId: string): Promise<string[]> {
  const [customer] = await sql<{ id: string }[]>`
    select s.stripe_customer_id as id from public.organization_subscriptions as s
    join public.organizations as o on o.id = s.organization_id where o.clerk_org_id = ${clerkId}`;
  const [{ members, invitations }, subscriptions] = await Promise.all([
    readClerkLists(clerk, clerkId),
    stripe.subscriptions.list({ customer: customer?.id ?? "" }),
  ]);
  return [
    ...members.map(({ publicUserData, role }) => `member ${publicUserData?.userId} ${role}`),
    ...invitations.map(({ emailAddress, role }) => `invited ${emailAddress} ${role}`),
    ...subscriptions.data.map(({ items }) => `seats ${items.data[0]?.quantity}`),
  ];
}
