import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { buySeats } from "../checkout.ts";
import { connect } from "../clients.ts";
import {
  addMembers,
  createOrganization,
  type Organization,
  settled,
  tokenOf,
} from "../organizations.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import { afterwards, assertSeen, bookOf, DELIVERIES, tryToInvite } from "./life.ts";
import { callSeats, clickChange } from "./seats.ts";

const clients = connect(stackEnv());
const { admin, env, stripe, stripeControl } = clients;

/** An organization of three people, one of whom is no admin. */
interface Friends extends Organization {
  readonly memberToken: string;
}

async function createFriends(): Promise<Friends> {
  const organization = await createOrganization(clients);
  const [member = ""] = await addMembers(clients, organization, 2);
  return { ...organization, memberToken: await tokenOf(clients, member, organization.clerkId) };
}

function grant({ id }: Pick<Organization, "id">, seats: number, reason: string) {
  const p_actor = "user_operator";
  return admin.rpc("grant_seats", {
    p_organization_id: id,
    p_seats: seats,
    p_reason: reason,
    p_actor,
  });
}

Deno.test("free seats are there without Stripe, and who gave them and why is in the account book", async () => {
  const friends = await createFriends();
  await assertSeen(clients, friends, { status: "none", purchasedSeats: 0, overCapacity: true });
  assert.equal(await tryToInvite(clients, friends), "seats_full");

  await grant(friends, 4, "friends of the house").throwOnError();

  await assertSeen(clients, friends, {
    status: "none",
    plan: null,
    purchasedSeats: 4,
    grantedSeats: 4,
    membersCount: 3,
    overCapacity: false,
    availableSeats: 1,
    nextInvoice: null,
  });
  assert.equal(await tryToInvite(clients, friends), "invited");
  const [given] = (await bookOf(clients, friends)).slice(-1);
  assert.deepEqual(
    [given?.actor, given?.cause, given?.seats, given?.balance],
    ["user_operator", "grant_seats: friends of the house", 4, 4],
  );
  assertRefused(await clickChange(clients, friends, { seats: 6 }), 409, "no_subscription");
  const portal = await callSeats(clients, friends, "POST", "/portal", { body: {} });
  assertRefused(portal, 409, "no_customer");
  assert.deepEqual(await syncUntilAgreed(clients, friends), []);
});

Deno.test("free seats without a reason are not given", async () => {
  const friends = await createFriends();
  for (const reason of ["", "  "]) {
    const { error, status } = await grant(friends, 4, reason);
    assert.deepEqual([status, error?.message], [400, "invalid_request"]);
  }
  await assertSeen(clients, friends, { purchasedSeats: 0, grantedSeats: 0 });
});

Deno.test("free seats are not the clients' to give", async () => {
  const friends = await createFriends();
  const arguments_ = {
    p_organization_id: friends.id,
    p_seats: 4,
    p_reason: "us",
    p_actor: friends.adminId,
  };
  const { SUPABASE_URL: url, SUPABASE_PUBLISHABLE_KEY: key } = env;
  for (
    const client of [
      createClient(url, key),
      createClient(url, key, { accessToken: () => Promise.resolve(friends.token) }),
    ]
  ) {
    const { status, error } = await client.rpc("grant_seats", arguments_);
    assert([401, 403].includes(status), `${status}: ${JSON.stringify(error)}`);
  }
  await assertSeen(clients, friends, { purchasedSeats: 0, grantedSeats: 0 });
});

for (const delivery of DELIVERIES) {
  Deno.test(`free seats count while no subscription gives any (webhooks ${delivery})`, async () => {
    const friends = await createFriends();
    await grant(friends, 8, "friends of the house").throwOnError();

    const team = { ...friends, clock: "", ...await buySeats(clients, friends) };
    const bought = { status: "active", plan: "pro", purchasedSeats: 5, grantedSeats: 8 };
    await assertSeen(clients, friends, bought);

    await afterwards(
      clients,
      team,
      delivery,
      () => stripe.subscriptions.cancel(team.subscriptionId),
    );

    await assertSeen(clients, friends, {
      status: "canceled",
      purchasedSeats: 8,
      renewalSeats: 8,
      overCapacity: false,
      nextInvoice: null,
    });
    assert.equal(await tryToInvite(clients, team), "invited");
    await stripeControl.replay({ contains: team.subscriptionId, order: "shuffled" });
    await settled(clients, team.subscriptionId);
    await assertSeen(clients, friends, { status: "canceled", purchasedSeats: 8 });
    assert.deepEqual((await bookOf(clients, friends)).map(({ balance }) => balance), [0, 8, 5, 8]);
  });
}
