import { addFault, HOLDUP_MS } from "../emulation/added_fault.ts";
import { disagreements } from "./agreement.ts";
import { createOrganization, type Organization, step } from "./organization.ts";
import { addMember, createUser } from "./people.ts";
import type { Story } from "./story.ts";
import type { Reply, World } from "./world.ts";

/** How many are invited when the process dies: six calls to Clerk, of which five are made. */
const INVITED = 60;

/** Plays the second act: crashes, losses and damage, and one sweep that heals them all. */
export async function playHealing(world: World, story: Story): Promise<void> {
  const organization = await begin(world, story);
  const { clerkId, id } = organization;
  // From here on Postgres hears nothing of this organization.
  const lost = await Promise.all([
    world.clerkControl.addPolicy({ contains: clerkId, kind: "drop", times: 0 }),
    world.stripeControl.addPolicy({ contains: id, kind: "drop", times: 0 }),
  ]);
  await loseEvents(world, story, organization);
  await dieInviting(world, story, organization);
  await dieBuying(world, story, organization);
  await corrupt(world, story, organization);
  await Promise.all([
    world.clerkControl.removePolicy(lost[0]),
    world.stripeControl.removePolicy(lost[1]),
  ]);
  await sweep(world, story, organization);
}

async function begin(world: World, story: Story): Promise<Organization> {
  story.begin("Globex buys 80 seats, and nine people join");
  const organization = await createOrganization(world, "Globex");
  const { clerkId, id, ownerId } = organization;
  await step(
    world,
    story,
    clerkId,
    { purchased_seats: 80, seat_limit: 80, members: 10, available: 70 },
    async () => {
      const token = await world.tokenOf(ownerId, clerkId);
      const { body } = await world.call("create-seat-checkout-session", token, {
        organizationId: id,
        plan: "ultra",
        seats: 80,
        billingPeriod: "monthly",
      });
      await world.stripeControl.payCheckout((body as { sessionId: string }).sessionId);
      await join(world, clerkId, 9);
    },
  );
  return organization;
}

async function loseEvents(world: World, story: Story, { clerkId, id, ownerId }: Organization) {
  story.begin("Two join and one leaves; from now on every webhook about Globex is lost");
  await step(world, story, clerkId, { members: 10, seats_used: 10 }, async () => {
    await join(world, clerkId, 2);
    const [leaving] = await world.sql<{ userId: string }[]>`
      select clerk_user_id as "userId" from public.organization_members
      where organization_id = ${id} and clerk_user_id <> ${ownerId} limit 1`;
    await world.clerk.organizations.deleteOrganizationMembership({
      organizationId: clerkId,
      userId: leaving?.userId ?? "",
    });
  });
}

async function dieInviting(world: World, story: Story, { clerkId, id, ownerId }: Organization) {
  story.begin(`kill -9 of manage-members while it invites ${INVITED} people`);
  await step(
    world,
    story,
    clerkId,
    { members: 10, invitations: INVITED, seats_used: 10 + INVITED, available: 10 },
    async () => {
      const token = await world.tokenOf(ownerId, clerkId);
      const path = `/v1/organizations/${clerkId}/invitations/bulk$`;
      // Of the first five calls, three are answered and two wait at Clerk when the process dies.
      await world.clerkControl.addFault({ match: { path }, kind: "delay", times: 3 });
      const held = await addFault(world.clerkControl, {
        match: { path },
        kind: "delay",
        delayMs: HOLDUP_MS,
        times: 0,
      });
      const answer = world.call(`manage-members/${id}/invitations`, token, {
        invitations: Array.from({ length: INVITED }, (_, n) => ({ email: `new${n}@example.com` })),
      });
      await held.struck(2);
      await world.crash("manage-members");
      await held.remove();
      story.expect({ what: "status of its answer", expected: 500, actual: (await answer).status });
      story.tell(
        `Clerk has invited ${await invitedInClerk(world, clerkId)} people. Postgres holds`,
      );
      story.tell("a seat for each of the 60, and does not know whom Clerk was asked for.");
    },
  );
}

async function dieBuying(world: World, story: Story, { clerkId, id, ownerId }: Organization) {
  story.begin("kill -9 of manage-seats between Stripe and Postgres, while it buys 10 seats more");
  await step(world, story, clerkId, { purchased_seats: 80, seat_limit: 80 }, async () => {
    const token = await world.tokenOf(ownerId, clerkId);
    const held = await addFault(world.stripeControl, {
      match: { path: "^/v1/subscriptions/sub_", method: "POST" },
      kind: "delay",
      delayMs: HOLDUP_MS,
      times: 0,
    });
    const answer = world.call(`manage-seats/${id}/change`, token, { seats: 90 }, {
      "idempotency-key": crypto.randomUUID(),
    });
    await held.struck(1);
    await world.crash("manage-seats");
    await held.remove();
    story.expect({ what: "status of its answer", expected: 500, actual: (await answer).status });
    story.tell("Stripe has charged for 90 seats, Postgres knows of 80.");
  });
}

async function corrupt(world: World, story: Story, { clerkId, id }: Organization) {
  story.begin("Somebody damages the rows, the triggers switched off");
  await step(world, story, clerkId, { seat_limit: 500, members: 3 }, async () => {
    await world.sql.begin(async (sql) => {
      await sql`set local session_replication_role = replica`;
      await sql`
        update public.organizations set seat_limit = 500, members_count = 3 where id = ${id}`;
      await sql`
        update public.organization_members set role = 'org:admin'
        where organization_id = ${id} and role = 'org:member'`;
    });
  });
}

async function sweep(world: World, story: Story, { clerkId, id }: Organization) {
  story.begin("One sweep");
  story.tell(
    "A seat that is held while Clerk is asked is left alone for half a minute: it passes.",
  );
  await world.sql`
    update public.organization_invitations set held_until = now() - interval '1 second'
    where organization_id = ${id} and held_until is not null`;
  const before = await disagreements(world, clerkId);
  story.tell(`Before it, Postgres disagrees with Clerk and Stripe about ${before.length} things.`);
  await step(
    world,
    story,
    clerkId,
    {
      purchased_seats: 90,
      seat_limit: 90,
      members: 11,
      invitations: 50,
      seats_used: 61,
      available: 29,
      can_add: true,
    },
    async () => {
      const first = await world.callAsOperator("sync-seats", { sweep: true });
      story.expect({
        what: "what it repaired",
        expected: {
          member_missing: 2,
          member_extra: 1,
          member_role: 8,
          reservation_adopted: 50,
          reservation_released: 10,
          seat_change: 1,
          subscription: 1,
          seat_limit: 1,
          counts: 1,
        },
        actual: driftOf(first),
      });
    },
  );
  const again = await world.callAsOperator("sync-seats", { sweep: true });
  const [change] = await world.sql<{ state: string }[]>`
    select state from public.seat_changes where organization_id = ${id} and kind = 'now'`;
  const { status, body } = await world.callAsOperator("health");
  const { attention } = body as { attention: unknown };
  story.expect(
    { what: "what a second sweep repairs", expected: {}, actual: driftOf(again) },
    { what: "how the change ended", expected: "completed", actual: change?.state },
    { what: "invoices paid: the purchase, the change", expected: 2, actual: await paid(world, id) },
    {
      what: "what Postgres, Clerk and Stripe disagree about",
      expected: [],
      actual: await disagreements(world, clerkId),
    },
    { what: "health", expected: 200, actual: status },
    {
      what: "what a person is told: that so much was repaired at once",
      expected: [{ code: "much_drift", count: 1 }],
      actual: attention,
    },
  );
}

async function join(world: World, clerkId: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await addMember(world, clerkId, await createUser(world, `globex${n}`));
  }
}

async function invitedInClerk({ clerk }: World, organizationId: string): Promise<number> {
  const { totalCount } = await clerk.organizations.getOrganizationInvitationList({
    organizationId,
    status: ["pending"],
  });
  return totalCount;
}

/** How many invoices an organization has paid. */
async function paid({ sql, stripe }: World, organizationId: string): Promise<number> {
  const [row] = await sql<{ customer: string }[]>`
    select stripe_customer_id as customer from public.organization_subscriptions
    where organization_id = ${organizationId}`;
  const { data } = await stripe.invoices.list({ customer: row?.customer ?? "", status: "paid" });
  return data.length;
}

function driftOf({ body }: Reply): unknown {
  return (body as { data?: { drift: unknown } }).data?.drift;
}
