import assert from "node:assert/strict";
import { permutations } from "../../database/orders.ts";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { only } from "../rows.ts";
import { deliverSigned, newMessageId, outcomeOf } from "./deliveries.ts";
import { invitationsOf, membersOf, seatsOf } from "./people.ts";
import {
  type Cast,
  invitationEvent,
  membershipEvent,
  newCast,
  organizationCreated,
  organizationDeleted,
  organizationUpdated,
  type PublishedEvent,
} from "./published_events.ts";

const clients = connect(stackEnv());
const { sql } = clients;

/** An organization is created, someone is invited, accepts and joins. */
function joiningOf(cast: Cast): PublishedEvent[] {
  return [
    organizationCreated(cast),
    invitationEvent(cast, "created", 10),
    invitationEvent(cast, "accepted", 60, 10),
    membershipEvent(cast, { what: "created", who: "invitee", seconds: 60 }),
  ];
}

async function assertJoined({ organizationId, inviteeId }: Cast, order: string) {
  assert.deepEqual(await seatsOf(sql, organizationId), { members: 1, invitations: 0 }, order);
  assert.deepEqual(await membersOf(sql, organizationId), [
    { userId: inviteeId, status: "active", role: "org:member" },
  ], order);
  const { status, holdsSeat } = only(await invitationsOf(sql, organizationId));
  assert.deepEqual({ status, holdsSeat }, { status: "joined", holdsSeat: false }, order);
}

Deno.test("events as Clerk publishes them give the same rows in each of their orders", async () => {
  for (const order of permutations([0, 1, 2, 3])) {
    const cast = newCast();
    const events = joiningOf(cast);
    for (const n of order) await outcomeOf(clients, events[n] ?? {});
    await assertJoined(cast, order.join());
  }
});

Deno.test("each event three times and all at once gives the same rows", async () => {
  const cast = newCast();
  const messages = joiningOf(cast).map((event) => ({ event, id: newMessageId() }));
  const answers = await Promise.all(
    [...messages, ...messages.toReversed(), ...messages]
      .map(({ event, id }) => deliverSigned(clients, event, { id })),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const applied = answers.filter(({ body }) => body.outcome === "applied");
  assert.equal(applied.length, messages.length);
  await assertJoined(cast, "at once");
});

Deno.test("the same events under new message ids give the same rows", async () => {
  const cast = newCast();
  const events = joiningOf(cast);
  for (const event of [...events, ...events.toReversed(), ...events]) {
    assert.equal(await outcomeOf(clients, event), "applied");
  }
  await assertJoined(cast, "thrice");
});

Deno.test("a membership that has ended stays ended, whenever its beginning is reported", async () => {
  const made = { who: "invitee", madeAfter: 10 } as const;
  for (const order of permutations([0, 1, 2])) {
    const cast = newCast();
    const events = [
      membershipEvent(cast, { ...made, what: "created", seconds: 10 }),
      membershipEvent(cast, { ...made, what: "updated", seconds: 20, role: "org:admin" }),
      membershipEvent(cast, { ...made, what: "deleted", seconds: 30, role: "org:admin" }),
    ];
    for (const n of order) await outcomeOf(clients, events[n] ?? {});
    assert.deepEqual(await membersOf(sql, cast.organizationId), [
      { userId: cast.inviteeId, status: "removed", role: "org:admin" },
    ], order.join());
    assert.deepEqual(await seatsOf(sql, cast.organizationId), { members: 0, invitations: 0 });
  }
});

Deno.test("whoever left and came back is in, in each order of the events", async () => {
  for (const order of permutations([0, 1, 2])) {
    const cast = newCast();
    const events = [
      membershipEvent(cast, { what: "created", who: "invitee", seconds: 10 }),
      membershipEvent(cast, { what: "deleted", who: "invitee", seconds: 20, madeAfter: 10 }),
      membershipEvent(cast, { what: "created", who: "invitee", seconds: 30 }),
    ];
    for (const n of order) await outcomeOf(clients, events[n] ?? {});
    assert.deepEqual(
      (await membersOf(sql, cast.organizationId)).map(({ status }) => status),
      ["removed", "active"],
      order.join(),
    );
    assert.deepEqual(await seatsOf(sql, cast.organizationId), { members: 1, invitations: 0 });
  }
});

Deno.test("a revoked invitation holds no seat, whenever its creation is reported", async () => {
  for (const order of permutations(["created", "revoked"] as const)) {
    const cast = newCast();
    for (const what of order) {
      await outcomeOf(clients, invitationEvent(cast, what, what === "created" ? 10 : 20, 10));
    }
    assert.equal(only(await invitationsOf(sql, cast.organizationId)).status, "revoked");
    assert.deepEqual(await seatsOf(sql, cast.organizationId), { members: 0, invitations: 0 });
  }
});

Deno.test("a deleted organization stays deleted, and nobody who is reported later takes a seat", async () => {
  const cast = newCast();
  await outcomeOf(clients, organizationDeleted(cast, 120));
  for (const event of joiningOf(cast)) await outcomeOf(clients, event);
  const { deleted } = only(
    await sql`
      select deleted_at is not null as deleted from public.organizations
      where clerk_org_id = ${cast.organizationId}`,
  );
  assert.equal(deleted, true);
  assert.deepEqual(await seatsOf(sql, cast.organizationId), { members: 0, invitations: 0 });
});

Deno.test("the newest name of an organization stands, whichever comes last", async () => {
  for (const order of permutations([0, 1, 2])) {
    const cast = newCast();
    const events = [
      organizationCreated(cast),
      organizationUpdated(cast, "Second Name", 20),
      organizationUpdated(cast, "Third Name", 30),
    ];
    for (const n of order) await outcomeOf(clients, events[n] ?? {});
    const row = only(
      await sql`
        select name, slug from public.organizations where clerk_org_id = ${cast.organizationId}`,
    );
    assert.deepEqual({ ...row }, { name: "Third Name", slug: "third-name" }, order.join());
  }
});

Deno.test("a time in milliseconds and one in seconds are the same time", async () => {
  const cast = newCast();
  const inSeconds = invitationEvent(cast, "created", 10);
  const { data } = inSeconds as unknown as { data: Record<string, number> };
  await outcomeOf(clients, {
    ...inSeconds,
    data: {
      ...data,
      created_at: Math.floor(Number(data["created_at"]) / 1000),
      updated_at: Math.floor(Number(data["updated_at"]) / 1000),
    },
  });
  const { made, days } = only(
    await sql<{ made: number; days: number }[]>`
      select extract(epoch from i.clerk_created_at)::integer as made,
        extract(day from i.expires_at - i.clerk_created_at)::integer as days
      from public.organization_invitations as i
      where clerk_invitation_id = ${cast.invitationId}`,
  );
  assert.equal(made, Math.floor((cast.at + 10_000) / 1000));
  assert.equal(days, 30);
});
