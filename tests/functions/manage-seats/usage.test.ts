import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addInvitations, addMembers, createOrganization } from "../organizations.ts";
import { callSeats, change, createSubscriber } from "./seats.ts";

const clients = connect(stackEnv());

interface Day {
  readonly date: string;
  readonly purchasedSeats: number;
  readonly seatsUsed: number;
  readonly peakSeatsUsed: number;
}

/** So many days from today, in UTC. */
function day(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

Deno.test("usage shows what is purchased and used by day, until today", async () => {
  const subscriber = await createSubscriber(clients);
  await addMembers(clients, subscriber, 1);
  const [invitation = ""] = await addInvitations(clients, subscriber, 2);
  await change(clients, subscriber, { seats: 9 });
  await clients.clerk.client.organizations.revokeOrganizationInvitation({
    organizationId: subscriber.clerkId,
    invitationId: invitation,
    requestingUserId: subscriber.adminId,
  });
  await clients.clerk.control.settle({ contains: subscriber.clerkId });
  const from = day(-2);

  const { status, body } = await callSeats<{ data: Day[] }>(
    clients,
    subscriber,
    "GET",
    `/usage?from=${from}&to=${day(2)}`,
  );

  assert.equal(status, 200, JSON.stringify(body));
  const last = body.data.at(-1);
  assert(last?.date === day(0) || last?.date === day(-1));
  assert.deepEqual(last, {
    date: last.date,
    purchasedSeats: 9,
    seatsUsed: 3,
    peakSeatsUsed: 4,
  });
  assert.deepEqual(body.data[0], {
    date: from,
    purchasedSeats: 0,
    seatsUsed: 0,
    peakSeatsUsed: 0,
  });
});

for (
  const query of [
    "",
    "?from=2026-11-01",
    "?to=2026-11-01",
    "?from=&to=",
    "?from=2026-11-01&to=2026-10-31",
    "?from=2025-11-01&to=2026-11-02",
    "?from=2026-02-29&to=2026-03-01",
    "?from=2026-11-01T00:00:00Z&to=2026-11-02",
    "?from=1.11.2026&to=2.11.2026",
    "?from=yesterday&to=today",
    "?from=-infinity&to=infinity",
    "?from=2026-11-01&from=2026-11-02&to=2026-11-3",
  ]
) {
  Deno.test(`usage refuses the days ${query === "" ? "of nobody" : query}`, async () => {
    const organization = await createOrganization(clients);
    const answer = await callSeats(clients, organization, "GET", `/usage${query}`);
    assertRefused(answer, 400, "invalid_request");
  });
}
