import assert from "node:assert/strict";
import { applyClerkEvent } from "./clerk_deliveries.ts";
import {
  clerkInvitation,
  clerkMembership,
  clerkOrganization,
  invitationAccepted,
  invitationEvent,
  membershipEvent,
  minute,
  organizationEvent,
} from "./clerk_events.ts";
import { type Sql, withConnections, withTransaction } from "./connection.ts";
import { makeOrganization, numbersOf } from "./organizations.ts";
import { randomId } from "./random_id.ts";

async function outcomeInLedger(sql: Sql, messageId: string): Promise<unknown> {
  const [row] = await sql`
    select outcome from private.webhook_events
    where provider = 'clerk' and event_id = ${messageId}`;
  return row?.["outcome"];
}

Deno.test("one event on 32 connections at once has one effect", () =>
  withConnections(32, async (connections) => {
    const [observer] = connections;
    const organization = await observer.begin((sql) => makeOrganization(sql, { seats: 5 }));
    const membership = clerkMembership(
      clerkOrganization(organization.clerkOrgId),
      "ann",
      minute(10),
    );
    const event = membershipEvent("created", membership);
    const messageId = randomId("msg");

    const outcomes = await Promise.all(
      connections.map((sql) => applyClerkEvent(sql, event, messageId)),
    );

    assert.equal(outcomes.filter(({ outcome }) => outcome === "applied").length, 1);
    assert.equal(outcomes.filter(({ outcome }) => outcome === "duplicate").length, 31);
    assert.equal((await numbersOf(observer, organization)).members, 1);
    const booked = await observer`
      select from public.billing_changes where cause = ${messageId}`;
    assert.equal(booked.length, 1);
  }));

Deno.test("the events of 32 people at once are all recorded, those of one person once", () =>
  withConnections(32, async (connections) => {
    const [observer] = connections;
    const organization = await observer.begin((sql) => makeOrganization(sql, { seats: 20 }));
    const clerk = clerkOrganization(organization.clerkOrgId);

    await Promise.all(connections.map(async (sql, index) => {
      const invitation = clerkInvitation(clerk, `guest${index % 16}`, minute(index));
      const membership = clerkMembership(clerk, `guest${index % 16}`, minute(40 + index));
      await applyClerkEvent(sql, invitationEvent("created", invitation));
      await applyClerkEvent(sql, invitationAccepted(invitation, membership.userId, minute(30)));
      await applyClerkEvent(sql, membershipEvent("created", membership));
    }));

    const { members, invitations, overCapacity } = await numbersOf(observer, organization);
    assert.deepEqual({ members, invitations, overCapacity }, {
      members: 16,
      invitations: 0,
      overCapacity: false,
    });
  }));

Deno.test("the ledger keeps what was applied, and nothing of what is none of ours", () =>
  withTransaction(async (sql) => {
    const organization = clerkOrganization();
    const [applied, ignored] = [randomId("msg"), randomId("msg")];
    const event = organizationEvent("created", organization);

    const first = await applyClerkEvent(sql, event, applied);
    const second = await applyClerkEvent(sql, event, applied);
    const foreign = await applyClerkEvent(
      sql,
      { ...event, type: "role.created" },
      ignored,
    );

    assert.deepEqual([first.outcome, second.outcome], ["applied", "duplicate"]);
    assert.deepEqual(foreign, { outcome: "ignored", reason: "unhandled_type" });
    assert.equal(await outcomeInLedger(sql, applied), "applied");
    assert.equal(await outcomeInLedger(sql, ignored), undefined);
  }));

Deno.test("an event that cannot be written is not in the ledger, so that it can come again", () =>
  withConnections(1, async ([sql]) => {
    const organization = await sql.begin((sql) => makeOrganization(sql, { seats: 5 }));
    const invitation = clerkInvitation({ id: organization.clerkOrgId }, "ann", minute(10));
    const broken = invitationEvent("created", { ...invitation, email: " " });
    const messageId = randomId("msg");

    await assert.rejects(applyClerkEvent(sql, broken, messageId));

    assert.equal(await outcomeInLedger(sql, messageId), undefined);
    const event = invitationEvent("created", invitation);
    assert.equal((await applyClerkEvent(sql, event, messageId)).outcome, "applied");
  }));
