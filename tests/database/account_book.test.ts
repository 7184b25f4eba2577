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
  organizationDeleted,
  organizationEvent,
} from "./clerk_events.ts";
import { approveMember, setOrganizationStatus } from "./commands.ts";
import {
  only,
  refusalIn,
  refusalOf,
  type Sql,
  withConnections,
  withTransaction,
} from "./connection.ts";
import { addRequest, requestBy } from "./join_requests.ts";
import { addInvitations, addMembers, makeOrganization, setSeats } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import { second, stripeSubscription } from "./stripe_events.ts";
import { makeBuyer, report } from "./stripe_reports.ts";

interface Entry {
  readonly kind: string;
  readonly subject: string;
  readonly actor: string;
  readonly cause: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** What is in the account book of an organization. */
async function entriesOf(sql: Sql, { id }: { readonly id: string }): Promise<readonly Entry[]> {
  return await sql<Entry[]>`
    select kind, subject, actor, cause, before, after
    from public.billing_changes where organization_id = ${id} order by id`;
}

/** What something adds to it. */
async function bookedBy(
  sql: Sql,
  organization: { readonly id: string },
  act: () => Promise<unknown>,
): Promise<readonly Entry[]> {
  const { length } = await entriesOf(sql, organization);
  await act();
  return (await entriesOf(sql, organization)).slice(length).map((entry) => ({ ...entry }));
}

Deno.test("a new organization is booked with its status, and its approval and end after it", () =>
  withTransaction(async (sql) => {
    const clerk = clerkOrganization();
    const [created, deleted] = [randomId("msg"), randomId("msg")];
    const { organizationId: id = "" } = await applyClerkEvent(
      sql,
      organizationEvent("created", clerk),
      created,
    );
    await setOrganizationStatus(sql, { id }, "suspended", "user_operator");
    await applyClerkEvent(sql, organizationDeleted(clerk, minute(30)), deleted);

    const entry = { kind: "organization", subject: id };
    assert.deepEqual(await bookedBy(sql, { id }, () => Promise.resolve()), []);
    assert.deepEqual((await entriesOf(sql, { id })).map((one) => ({ ...one })), [
      {
        ...entry,
        actor: "clerk",
        cause: created,
        before: null,
        after: { status: "approved", deleted: false },
      },
      {
        ...entry,
        actor: "user_operator",
        cause: "set_organization_status",
        before: { status: "approved", deleted: false },
        after: { status: "suspended", deleted: false },
      },
      {
        ...entry,
        actor: "clerk",
        cause: deleted,
        before: { status: "suspended", deleted: false },
        after: { status: "suspended", deleted: true },
      },
    ]);
  }));

Deno.test("a request and its approval are booked with who did it", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    let id = "";
    const asking = await bookedBy(sql, organization, async () => {
      id = await requestBy(sql, organization, "ann@example.com");
    });
    const approving = await bookedBy(
      sql,
      organization,
      () => approveMember(sql, id, "user_boss"),
    );

    const [request] = asking;
    assert(request !== undefined && asking.length === 1);
    assert(request.actor.startsWith("user_"));
    assert.deepEqual(request, {
      kind: "member",
      subject: id,
      actor: request.actor,
      cause: "request_membership",
      before: null,
      after: { status: "requested", role: "org:member" },
    });
    assert.deepEqual(approving, [{
      kind: "member",
      subject: id,
      actor: "user_boss",
      cause: "approve_member",
      before: { status: "requested", role: "org:member" },
      after: { status: "active", role: "org:member" },
    }]);
  }));

Deno.test("an approval that names nobody is booked under the role that approves", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const { id } = await addRequest(sql, organization);
    const { role } = only(await sql<{ role: string }[]>`select session_user::text as role`);

    const [entry] = await bookedBy(
      sql,
      organization,
      () => sql`select public.approve_member(${id})`,
    );

    assert.deepEqual([entry?.actor, entry?.cause], [role, "approve_member"]);
  }));

Deno.test("an invitation is booked from its creation until it has led to a member", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const clerk = clerkOrganization(organization.clerkOrgId);
    const invitation = clerkInvitation(clerk, "ann", minute(10));
    const membership = clerkMembership(clerk, "ann", minute(20));

    const booked = await bookedBy(sql, organization, async () => {
      await applyClerkEvent(sql, invitationEvent("created", invitation));
      await applyClerkEvent(sql, invitationAccepted(invitation, "user_ann", minute(20)));
      await applyClerkEvent(sql, membershipEvent("created", membership));
    });

    const role = "org:member";
    assert.deepEqual(booked.map(({ kind, before, after }) => ({ kind, before, after })), [
      { kind: "invitation", before: null, after: { status: "pending", role } },
      {
        kind: "invitation",
        before: { status: "pending", role },
        after: { status: "accepted", role },
      },
      { kind: "member", before: null, after: { status: "active", role } },
      {
        kind: "invitation",
        before: { status: "accepted", role },
        after: { status: "joined", role },
      },
    ]);
    assert(booked.every(({ actor, cause }) => actor === "clerk" && cause.startsWith("msg_")));
  }));

Deno.test("a purchase, a change and the end of it are booked with what changed", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    const bought = await bookedBy(
      sql,
      organization,
      () => report(sql, subscription, { quantity: 5 }, 0),
    );
    const raised = await bookedBy(
      sql,
      organization,
      () => report(sql, subscription, { quantity: 7 }, 60),
    );
    const ended = await bookedBy(
      sql,
      organization,
      () => report(sql, subscription, { quantity: 7, status: "canceled" }, 120),
    );

    assert.deepEqual([bought.length, raised.length, ended.length], [1, 1, 1]);
    const [purchase, raise, end] = [...bought, ...raised, ...ended];
    assert.deepEqual(purchase?.after, {
      stripe_seat_subscription_id: subscription.id,
      status: "active",
      plan: "pro",
      seat_billing_period: "monthly",
      purchased_seats: 5,
      renewal_seats: 5,
    });
    assert.deepEqual(purchase?.before, {
      stripe_seat_subscription_id: null,
      status: "none",
      plan: null,
      seat_billing_period: null,
      purchased_seats: 0,
      renewal_seats: null,
    });
    assert.deepEqual(raise?.before, { purchased_seats: 5, renewal_seats: 5 });
    assert.deepEqual(raise?.after, { purchased_seats: 7, renewal_seats: 7 });
    assert.deepEqual(end?.before, { status: "active", purchased_seats: 7, renewal_seats: 7 });
    assert.deepEqual(end?.after, { status: "canceled", purchased_seats: 0, renewal_seats: 0 });
    for (const entry of [purchase, raise, end]) {
      assert.deepEqual([entry?.kind, entry?.subject, entry?.actor], [
        "subscription",
        organization.id,
        "stripe",
      ]);
      assert(entry?.cause.startsWith("evt_"));
    }
  }));

Deno.test("whoever writes around the functions is booked under his role", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const { role } = only(await sql<{ role: string }[]>`select session_user::text as role`);

    const booked = await bookedBy(sql, organization, async () => {
      await setSeats(sql, organization, 3);
      const [member] = await addMembers(sql, organization, 1);
      await addInvitations(sql, organization, 1);
      await sql`
        update public.organization_members set role = 'org:member' where id = ${
        member?.id ?? null
      }`;
      await sql`delete from public.organization_members where id = ${member?.id ?? null}`;
      await sql`
        delete from public.organization_subscriptions where organization_id = ${organization.id}`;
    });

    assert.deepEqual(
      booked.map(({ kind, before, after }) => [kind, before !== null, after !== null]),
      [
        ["subscription", false, true],
        ["member", false, true],
        ["invitation", false, true],
        ["member", true, true],
        ["member", true, false],
        ["subscription", true, false],
      ],
    );
    assert(booked.every(({ actor, cause }) => actor === role && cause === "sql"));
  }));

Deno.test("a statement of many rows books each of them", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { members: 50 });

    const booked = await bookedBy(sql, organization, () =>
      sql`
        update public.organization_members set status = 'removed'
        where organization_id = ${organization.id}`);

    assert.equal(new Set(booked.map(({ subject }) => subject)).size, 50);
    assert.equal(booked.length, 50);
  }));

Deno.test("what changes nothing that is paid for is not booked", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 2, invitations: 2 });
    const { id } = organization;

    const booked = await bookedBy(sql, organization, async () => {
      await sql`update public.organizations set name = 'New' where id = ${id}`;
      await sql`
        update public.organization_members set email = 'x@example.com'
        where organization_id = ${id}`;
      await sql`
        update public.organization_invitations set expires_at = now() + interval '9 days'
        where organization_id = ${id}`;
      await sql`
        update public.organization_subscriptions set current_period_end = now()
        where organization_id = ${id}`;
      await setOrganizationStatus(sql, organization, "approved");
    });

    assert.deepEqual(booked, []);
  }));

Deno.test("a refused command leaves nothing in the account book", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 1, members: 1 });
    const { id } = await addRequest(sql, organization);

    const booked = await bookedBy(
      sql,
      organization,
      () => refusalIn(sql, (sql) => approveMember(sql, id)),
    );

    assert.deepEqual(booked, []);
  }));

Deno.test("the account book cannot be rewritten, whoever tries", () =>
  withTransaction(async (sql) => {
    await makeOrganization(sql, { seats: 1 });
    for (
      const statement of [
        "update public.billing_changes set actor = 'nobody'",
        "update public.billing_changes set actor = 'nobody' where false",
        "delete from public.billing_changes",
        "truncate public.billing_changes",
        "truncate public.billing_changes, public.seat_changes cascade",
      ]
    ) {
      const { sqlstate, code } = await refusalIn(sql, (sql) => sql.unsafe(statement));
      assert.deepEqual([sqlstate, code], ["PT403", "account_book_only_grows"]);
    }
  }));

Deno.test("the account book cannot be rewritten outside of a transaction either", () =>
  withConnections(1, async ([sql]) => {
    const { id } = await sql.begin((sql) => makeOrganization(sql, { seats: 1 }));

    for (
      const attempt of [
        sql`update public.billing_changes set actor = 'nobody' where organization_id = ${id}`,
        sql`delete from public.billing_changes where organization_id = ${id}`,
      ]
    ) {
      assert.equal((await refusalOf(attempt)).code, "account_book_only_grows");
    }
    assert.equal((await entriesOf(sql, { id })).length, 2);
  }));
