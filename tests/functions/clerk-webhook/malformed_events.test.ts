import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { ledgerOutcome, only } from "../rows.ts";
import { deliverSigned, newMessageId } from "./deliveries.ts";
import { membersOf, seatsOf } from "./people.ts";
import {
  type Cast,
  invitationEvent,
  membershipEvent,
  newCast,
  organizationCreated,
  type PublishedEvent,
} from "./published_events.ts";

const clients = connect(stackEnv());
const { sql } = clients;

type Data = Record<string, unknown>;

/** An event with other data. */
function changed(event: PublishedEvent, change: (data: Data) => unknown): object {
  const { data } = structuredClone(event) as unknown as { data: Data };
  return { ...event, data: change(data) };
}

const joining = (cast: Cast) =>
  membershipEvent(cast, { what: "created", who: "invitee", seconds: 10 });
const inviting = (cast: Cast) => invitationEvent(cast, "created", 10);

for (
  const [what, make] of [
    ["an event without data", (cast) => changed(joining(cast), () => undefined)],
    ["an event whose data is null", (cast) => changed(joining(cast), () => null)],
    ["an event whose data is a list", (cast) => changed(joining(cast), () => [])],
    ["an event without a type", (cast) => ({ ...joining(cast), type: undefined })],
    ["an event whose type is a number", (cast) => ({ ...joining(cast), type: 7 })],
    ["a list", (cast) => [joining(cast)]],
    ["a membership without an id", (cast) => changed(joining(cast), ({ id: _, ...data }) => data)],
    [
      "a membership with an empty id",
      (cast) => changed(joining(cast), (data) => ({ ...data, id: "" })),
    ],
    [
      "a membership without an organization",
      (cast) => changed(joining(cast), ({ organization: _, ...data }) => data),
    ],
    [
      "a membership whose organization has no id",
      (cast) => changed(joining(cast), (data) => ({ ...data, organization: { name: "Acme" } })),
    ],
    [
      "a membership without a user",
      (cast) => changed(joining(cast), (data) => ({ ...data, public_user_data: null })),
    ],
    [
      "a membership whose user has an id of 256 characters",
      (cast) =>
        changed(joining(cast), (data) => ({
          ...data,
          public_user_data: { user_id: "u".repeat(256) },
        })),
    ],
    [
      "a membership with a role of 129 characters",
      (cast) => changed(joining(cast), (data) => ({ ...data, role: "r".repeat(129) })),
    ],
    [
      "an invitation with an empty role",
      (cast) => changed(inviting(cast), (data) => ({ ...data, role: "" })),
    ],
    [
      "an invitation of a user with an empty id",
      (cast) => changed(inviting(cast), (data) => ({ ...data, user_id: "" })),
    ],
    [
      "an invitation by somebody with an id of 256 characters",
      (cast) => changed(inviting(cast), (data) => ({ ...data, inviter_id: "u".repeat(256) })),
    ],
    [
      "an invitation without an organization",
      (cast) => changed(inviting(cast), ({ organization_id: _, ...data }) => data),
    ],
    [
      "an invitation without an address",
      (cast) => changed(inviting(cast), ({ email_address: _, ...data }) => data),
    ],
    [
      "an invitation to a blank address",
      (cast) => changed(inviting(cast), (data) => ({ ...data, email_address: " \n" })),
    ],
    [
      "an organization without an id",
      (cast) => changed(organizationCreated(cast), ({ id: _, ...data }) => data),
    ],
  ] satisfies [string, (cast: Cast) => object][]
) {
  Deno.test(`${what} is refused, though it is signed`, async () => {
    const cast = newCast();
    const id = newMessageId();
    assertRefused(await deliverSigned(clients, make(cast), { id }), 400, "invalid_event");
    assert.equal(await ledgerOutcome(sql, id), null);
    assert.equal(await seatsOf(sql, cast.organizationId), null);
  });
}

Deno.test("a signed body that is no JSON is refused", async () => {
  assertRefused(await deliverSigned(clients, "hello"), 400, "invalid_json");
});

for (
  const type of [
    "user.created",
    "session.ended",
    "organizationDomain.created",
    "organizationMembership.renamed",
    "organizationInvitation.expired",
    "organization.merged",
    "future.event",
    "constructor.created",
    "",
  ]
) {
  Deno.test(`“${type}” is ignored`, async () => {
    const cast = newCast();
    const id = newMessageId();
    const event = {
      ...joining(cast),
      type,
      data: {
        ...(joining(cast) as unknown as { data: Data }).data,
        organization_id: cast.organizationId,
        email_address: cast.email,
      },
    };
    const { status, body } = await deliverSigned(clients, event, { id });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body, { received: true, outcome: "ignored" });
    assert.equal(await seatsOf(sql, cast.organizationId), null);
  });
}

for (
  const [what, change] of [
    ["no times", ({ created_at: _, updated_at: __, ...data }) => data],
    ["times that are texts", (data) => ({ ...data, created_at: "yesterday", updated_at: "now" })],
    ["times after the end of time", (data) => ({ ...data, created_at: 1e20, updated_at: 1e300 })],
    ["no role", ({ role: _, ...data }) => data],
    ["no name of its organization", (data) => ({
      ...data,
      organization: { id: (data["organization"] as Data)["id"] },
    })],
    ["no address of its user", (data) => ({
      ...data,
      public_user_data: { user_id: (data["public_user_data"] as Data)["user_id"] },
    })],
    ["an address of 400 characters", (data) => ({
      ...data,
      public_user_data: {
        ...(data["public_user_data"] as Data),
        identifier: `${"a".repeat(400)}@example.com`,
      },
    })],
    ["a telephone number in place of the address", (data) => ({
      ...data,
      public_user_data: { ...(data["public_user_data"] as Data), identifier: "+15555550100" },
    })],
    ["an organization's name of 1,000 characters", (data) => ({
      ...data,
      organization: { ...(data["organization"] as Data), name: "n".repeat(1000) },
    })],
    ["names with characters that Postgres has no room for", (data) => ({
      ...data,
      public_user_data: { ...(data["public_user_data"] as Data), first_name: "N\0ul\ud800" },
      organization: { ...(data["organization"] as Data), name: "A\0cme \udc00" },
    })],
    ["fields that nobody knows", (data) => ({ ...data, seat: { number: 7 }, future: null })],
  ] satisfies [string, (data: Data) => Data][]
) {
  Deno.test(`a membership with ${what} takes its seat`, async () => {
    const cast = newCast();
    const { status, body } = await deliverSigned(clients, changed(joining(cast), change));
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.outcome, "applied");
    assert.deepEqual(await seatsOf(sql, cast.organizationId), { members: 1, invitations: 0 });
    assert.equal(only(await membersOf(sql, cast.organizationId)).role, "org:member");
  });
}
