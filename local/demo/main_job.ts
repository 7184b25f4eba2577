import { readNumbers, readRows } from "./numbers.ts";
import { createOrganization, type Organization, step } from "./organization.ts";
import { addMember, approve, createUser, invite, requestAll, revokeInvitation } from "./people.ts";
import type { Story } from "./story.ts";
import type { World } from "./world.ts";

/** How many ask for the last seat at once. */
const CROWD = 64;

/** Plays the main job: buy seats, fill them, be refused at the limit, be healed, be told twice. */
export async function playMainJob(world: World, story: Story): Promise<void> {
  const organization = await begin(world, story);
  await buySeats(world, story, organization);
  await fillSeats(world, story, organization);
  await joinByCode(world, story, organization);
  await crowdForLastSeat(world, story, organization);
  await writeAround(world, story, organization);
  await heal(world, story, organization);
  await repeat(world, story, organization);
}

async function begin(world: World, story: Story): Promise<Organization> {
  story.begin("Acme is created in Clerk");
  const before = await readNumbers(world.sql, "nobody");
  const organization = await createOrganization(world, "Acme");
  story.tell("Clerk delivers organization.created and organizationMembership.created.");
  story.compare(
    before,
    await readNumbers(world.sql, organization.clerkId),
    { seat_limit: 0, members: 1, seats_used: 1, can_add: false },
  );
  return organization;
}

async function buySeats(world: World, story: Story, organization: Organization): Promise<void> {
  const { clerkId, id, ownerId } = organization;
  story.begin("Its owner buys 5 seats of plan pro, monthly");
  const token = await world.tokenOf(ownerId, clerkId);
  const wish = { organizationId: id, plan: "pro", seats: 5, billingPeriod: "monthly" };
  let sessionId = "";
  await step(world, story, clerkId, { purchased_seats: 0, seat_limit: 0 }, async () => {
    const first = await world.call("create-seat-checkout-session", token, wish);
    const second = await world.call("create-seat-checkout-session", token, wish);
    ({ sessionId } = first.body as { sessionId: string });
    story.tell("Two clicks on “buy” lead to one Checkout Session; nothing is granted yet.");
    story.expect(
      { what: "status of the first click", expected: 200, actual: first.status },
      { what: "the second click's session", expected: first.body, actual: second.body },
    );
  });
  await step(
    world,
    story,
    clerkId,
    { purchased_seats: 5, seat_limit: 5, seats_used: 1, available: 4, can_add: true },
    async () => {
      story.tell("The customer pays with 4242 4242 4242 4242 on the hosted page.");
      await world.stripeControl.payCheckout(sessionId);
    },
  );
  const [booked] = await world.sql`
    select actor, before -> 'purchased_seats' as before, after -> 'purchased_seats' as after
    from public.billing_changes
    where organization_id = ${id} and after ->> 'purchased_seats' <> '0'`;
  story.expect({
    what: "the account book",
    expected: { actor: "stripe", before: 0, after: 5 },
    actual: booked,
  });
}

async function fillSeats(world: World, story: Story, organization: Organization): Promise<void> {
  const { clerkId } = organization;
  story.begin("Two people join and two are invited in Clerk");
  await step(
    world,
    story,
    clerkId,
    { members: 3, invitations: 2, seats_used: 5, available: 0, can_add: false },
    async () => {
      await addMember(world, clerkId, await createUser(world, "ann"));
      await addMember(world, clerkId, await createUser(world, "bob"));
      for (const name of ["cleo", "dan"]) {
        await invite(world, clerkId, `${name}@example.com`);
      }
    },
  );
}

async function joinByCode(world: World, story: Story, organization: Organization): Promise<void> {
  const { clerkId, ownerId } = organization;
  story.begin("Eve asks to join with the organization's code");
  const eve = await createUser(world, "eve");
  const [request] = await requestAll(world, clerkId, [eve]);
  if (request === undefined) throw new Error("request_membership has made no request");

  await step(world, story, clerkId, { members: 3, seats_used: 5, can_add: false }, async () => {
    story.tell("At five of five her approval is refused.");
    story.expect({
      what: "approve_member",
      expected: "409 seats_full",
      actual: await approve(world, request, ownerId),
    });
  });
  await step(
    world,
    story,
    clerkId,
    { members: 4, invitations: 1, seats_used: 5, available: 0 },
    async () => {
      story.tell("An invitation is revoked in Clerk; now she fits.");
      await revokeInvitation(world, clerkId, ownerId);
      await world.settled();
      story.expect({
        what: "approve_member",
        expected: "200 active",
        actual: await approve(world, request, ownerId),
      });
      story.tell("Her membership is made in Clerk too, and takes no second seat.");
      await addMember(world, clerkId, eve);
    },
  );
}

async function crowdForLastSeat(
  world: World,
  story: Story,
  organization: Organization,
): Promise<void> {
  const { clerkId, ownerId } = organization;
  story.begin(`${CROWD} people are approved at once for the last seat`);
  const users = await Promise.all(
    Array.from({ length: CROWD }, (_, n) => createUser(world, `crowd${n}`)),
  );
  const requests = await requestAll(world, clerkId, users);
  await revokeInvitation(world, clerkId, ownerId);
  await world.settled();
  await step(
    world,
    story,
    clerkId,
    { members: 5, invitations: 0, seats_used: 5, available: 0, can_add: false },
    async () => {
      const answers = await Promise.all(
        requests.map((request) => approve(world, request, ownerId)),
      );
      const count = (answer: string) => answers.filter((one) => one === answer).length;
      story.expect(
        { what: "approved", expected: 1, actual: count("200 active") },
        { what: "refused, 409 seats_full", expected: CROWD - 1, actual: count("409 seats_full") },
      );
      await addMember(world, clerkId, users[answers.indexOf("200 active")] ?? "");
    },
  );
}

async function writeAround(world: World, story: Story, organization: Organization): Promise<void> {
  const { clerkId, id } = organization;
  const { sql, admin } = world;
  story.begin("Someone tries to write around it");
  const numbers = await readNumbers(sql, clerkId);
  await step(world, story, clerkId, { ...numbers }, async () => {
    const attempt = (query: Promise<unknown>) =>
      query.then(() => "done", (error: Error) => error.message);
    const member = await admin.from("organization_members").insert(
      { organization_id: id, clerk_user_id: "user_mallory", status: "active" },
    );
    story.expect({
      what: "the secret key inserts a member",
      expected: 403,
      actual: member.status,
    }, {
      what: "the database's owner writes seat_limit",
      expected: "derived_column",
      actual: await attempt(sql`update public.organizations set seat_limit = 99 where id = ${id}`),
    }, {
      what: "the database's owner writes members_count",
      expected: "derived_column",
      actual: await attempt(
        sql`update public.organizations set members_count = 0 where id = ${id}`,
      ),
    }, {
      what: "the database's owner empties the account book",
      expected: "account_book_only_grows",
      actual: await attempt(sql`delete from public.billing_changes where organization_id = ${id}`),
    });
    story.tell("And an invitation that was revoked cannot be made to count again.");
    await sql`
      update public.organization_invitations set holds_seat = true
      where organization_id = ${id} and status = 'revoked'`;
  });
}

async function heal(world: World, story: Story, organization: Organization): Promise<void> {
  const { clerkId, id, ownerId } = organization;
  story.begin("Clerk is changed behind our back, and its webhooks are lost");
  const lost = await world.clerkControl.addPolicy({ contains: clerkId, kind: "drop", times: 0 });
  await step(world, story, clerkId, { members: 5, invitations: 0, seats_used: 5 }, async () => {
    const { data: members } = await world.clerk.organizations.getOrganizationMembershipList({
      organizationId: clerkId,
    });
    const leaving = members.flatMap(({ publicUserData }) => publicUserData?.userId ?? [])
      .filter((userId) => userId !== ownerId).slice(0, 2);
    for (const userId of leaving) {
      await world.clerk.organizations.deleteOrganizationMembership({
        organizationId: clerkId,
        userId,
      });
    }
    await invite(world, clerkId, "fay@example.com");
    story.tell("Two members have left and one is invited, but Postgres does not know.");
  });
  await world.clerkControl.removePolicy(lost);
  await step(
    world,
    story,
    clerkId,
    { members: 3, invitations: 1, seats_used: 4, available: 1, can_add: true },
    async () => {
      story.tell("The owner calls sync-seats.");
      const token = await world.tokenOf(ownerId, clerkId);
      const synced = await world.call("sync-seats", token, { organizationId: id });
      story.expect(
        {
          what: "what had drifted",
          expected: { member_extra: 2, invitation_missing: 1 },
          actual: kindsOf(synced.body),
        },
      );
      const again = await world.call("sync-seats", token, { organizationId: id });
      story.expect({ what: "what a second sync finds", expected: {}, actual: kindsOf(again.body) });
    },
  );
}

async function repeat(world: World, story: Story, organization: Organization): Promise<void> {
  const { clerkId, id } = organization;
  story.begin("Every webhook comes again, three times, shuffled");
  const before = await readRows(world.sql, clerkId);
  const numbers = await readNumbers(world.sql, clerkId);
  const results = await Promise.all([
    world.clerkControl.replay({ contains: clerkId, times: 3, order: "shuffled" }),
    world.stripeControl.replay({ contains: id, times: 3, order: "shuffled" }),
  ]);
  const refused = results.flat().filter(({ status }) => status !== 200);
  story.tell(`${results.flat().length} deliveries.`);
  story.compare(numbers, await readNumbers(world.sql, clerkId), { ...numbers });
  story.expect(
    { what: "deliveries that were not answered 200", expected: 0, actual: refused.length },
    {
      what: "the rows are the same",
      expected: true,
      actual: JSON.stringify(before) === JSON.stringify(await readRows(world.sql, clerkId)),
    },
  );
}

function kindsOf(synced: unknown): Record<string, number> {
  const { data } = synced as { data?: { drift: { kind: string }[] } };
  const kinds: Record<string, number> = {};
  for (const { kind } of data?.drift ?? []) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
}
