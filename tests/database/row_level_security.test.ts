import assert from "node:assert/strict";
import { checkCapacity } from "./commands.ts";
import { only, refusalIn, type Transaction, withTransaction } from "./connection.ts";
import { startCheckout } from "./checkouts.ts";
import { addMembers, makeOrganization, type Organization } from "./organizations.ts";

const TABLES = [
  "organizations",
  "organization_subscriptions",
  "organization_members",
  "organization_invitations",
  "organization_seats",
  "billing_changes",
  "seat_changes",
] as const;

/** Two organizations with something in every table, and people of the first. */
interface World {
  readonly own: Organization;
  readonly other: Organization;
  readonly admin: string;
  readonly member: string;
}

async function world(sql: Transaction): Promise<World> {
  const [own, other] = [await populated(sql), await populated(sql)];
  const [admin, member] = await addMembers(sql, own, 2);
  return { own, other, admin: admin?.userId ?? "", member: member?.userId ?? "" };
}

async function populated(sql: Transaction): Promise<Organization> {
  const organization = await makeOrganization(sql, { members: 2, invitations: 1 });
  await startCheckout(sql, organization);
  await sql`
    insert into public.organization_subscriptions (organization_id, purchased_seats)
    values (${organization.id}, 9)`;
  return organization;
}

/** Goes on as a user of the Data API, whose Clerk token says this. */
async function become(
  sql: Transaction,
  role: "anon" | "authenticated",
  claims: object,
): Promise<void> {
  await sql`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
  await sql.unsafe(`set local role ${role}`);
}

/** How many rows of these organizations somebody sees, table by table. */
async function visible(sql: Transaction, organizations: readonly Organization[]) {
  const ids = organizations.map(({ id }) => id).join();
  const counts: Record<string, number> = {};
  for (const table of TABLES) {
    const column = table === "organizations" ? "id" : "organization_id";
    const rows = await sql`
      select count(*)::integer as count from public.${sql(table)}
      where ${sql(column)}::text = any (string_to_array(${ids}, ','))`;
    counts[table] = only(rows)["count"];
  }
  return counts;
}

const NOTHING = Object.fromEntries(TABLES.map((table) => [table, 0]));

Deno.test("a member sees his organization and its people, not its books", () =>
  withTransaction(async (sql) => {
    const { own, other, member } = await world(sql);
    await become(sql, "authenticated", { sub: member });

    assert.deepEqual(await visible(sql, [own]), {
      ...NOTHING,
      organizations: 1,
      organization_subscriptions: 1,
      organization_members: 4,
      organization_invitations: 1,
      organization_seats: 5,
    });
    assert.deepEqual(await visible(sql, [other]), NOTHING);
  }));

Deno.test("an admin sees the books of his organization, and no other's", () =>
  withTransaction(async (sql) => {
    const { own, other, admin } = await world(sql);
    await become(sql, "authenticated", { sub: admin });

    const { billing_changes, seat_changes, ...rest } = await visible(sql, [own]);

    assert.equal(seat_changes, 1);
    assert((billing_changes ?? 0) >= 5);
    assert.deepEqual(rest["organization_seats"], 5);
    assert.deepEqual(await visible(sql, [other]), NOTHING);
  }));

for (
  const [who, claims] of [
    ["a stranger", { sub: "user_stranger" }],
    ["a token without a user", {}],
    ["a token with an empty user", { sub: "" }],
  ] as const
) {
  Deno.test(`${who} sees nothing of any organization`, () =>
    withTransaction(async (sql) => {
      const { own, other } = await world(sql);
      await become(sql, "authenticated", claims);

      assert.deepEqual(await visible(sql, [own, other]), NOTHING);
      assert.equal(await checkCapacity(sql, own), null);
    }));
}

for (const status of ["removed", "requested", "rejected"]) {
  Deno.test(`somebody who is ${status} sees nothing of the organization`, () =>
    withTransaction(async (sql) => {
      const { own, member } = await world(sql);
      await sql`
        update public.organization_members set status = ${status}
        where organization_id = ${own.id} and clerk_user_id = ${member}`;
      await become(sql, "authenticated", { sub: member });

      assert.deepEqual(await visible(sql, [own]), NOTHING);
    }));
}

Deno.test("an admin of one organization is no admin of another of his", () =>
  withTransaction(async (sql) => {
    const { own, other, admin } = await world(sql);
    await sql`
      insert into public.organization_members (organization_id, clerk_user_id, status)
      values (${other.id}, ${admin}, 'active')`;
    await become(sql, "authenticated", { sub: admin });

    const [his, others] = [await visible(sql, [own]), await visible(sql, [other])];

    assert.equal(his["seat_changes"], 1);
    assert.equal(others["organizations"], 1);
    assert.deepEqual([others["seat_changes"], others["billing_changes"]], [0, 0]);
  }));

Deno.test("a member reads his organization's capacity, and no other's", () =>
  withTransaction(async (sql) => {
    const { own, other, member } = await world(sql);
    await become(sql, "authenticated", { sub: member });

    assert.deepEqual(await checkCapacity(sql, own), {
      canAdd: true,
      members: 4,
      seatLimit: 9,
      remaining: 4,
    });
    assert.equal(await checkCapacity(sql, other), null);
    const seats = await sql`select * from public.check_seat_availability(${own.id})`;
    assert.equal(only(seats)["has_seats"], true);
  }));

Deno.test("everyone who is signed in reads the plans and their prices", () =>
  withTransaction(async (sql) => {
    await become(sql, "authenticated", { sub: "user_stranger" });

    const plans = await sql`select id from public.plans order by rank`;
    assert.deepEqual(plans.map(({ id }) => id), ["pro", "max", "ultra"]);
    const prices = await sql`select lookup_key from public.plan_prices`;
    assert.equal(prices.length, 6);
  }));

Deno.test("an admin writes nothing, and calls nothing that writes", () =>
  withTransaction(async (sql) => {
    const { own, admin } = await world(sql);
    await become(sql, "authenticated", { sub: admin });

    for (
      const statement of [
        "update public.organizations set name = 'Mine' where id = $1",
        "delete from public.organization_members where organization_id = $1",
        "insert into public.organization_invitations (organization_id, email, status, expires_at) values ($1, 'x@example.com', 'pending', now())",
        "select public.set_organization_status($1, 'approved', 'me')",
        "select public.sync_organization_counts($1)",
        "select private.lock_organization($1)",
        "select from private.settings where $1::uuid is not null",
      ]
    ) {
      const { sqlstate } = await refusalIn(sql, (sql) => sql.unsafe(statement, [own.id]));
      assert.equal(sqlstate, "42501", statement);
    }
  }));

Deno.test("anon reads nothing, not even the plans", () =>
  withTransaction(async (sql) => {
    const { own } = await world(sql);
    await become(sql, "anon", {});

    for (const table of [...TABLES, "plans", "plan_prices"]) {
      const { sqlstate } = await refusalIn(sql, (sql) => sql.unsafe(`select from public.${table}`));
      assert.equal(sqlstate, "42501", table);
    }
    const { sqlstate } = await refusalIn(sql, (sql) => checkCapacity(sql, own));
    assert.equal(sqlstate, "42501");
  }));
