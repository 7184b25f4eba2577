import assert from "node:assert/strict";
import { only, refusalIn, type Sql, withTransaction } from "./connection.ts";
import { makeOrganization, type Organization, setSeats } from "./organizations.ts";

interface Push {
  readonly pushId: string;
  readonly clerkOrgId: string;
  readonly limit: number;
}

/** Begins a push; null when there is nothing to push or another is under way. */
async function start(sql: Sql, { id }: { readonly id: string }): Promise<Push | null> {
  return only(
    await sql<{ push: Push | null }[]>`select public.start_clerk_limit_push(${id}) as push`,
  ).push;
}

/** Ends a push; whether another has to follow. */
async function finish(
  sql: Sql,
  { id }: Organization,
  push: Push | null,
  limit: number | null,
  error: string | null = null,
): Promise<boolean> {
  assert(push !== null);
  return only(
    await sql<{ again: boolean }[]>`
      select public.finish_clerk_limit_push(${id}, ${push.pushId}, ${limit}, ${error}) as again`,
  ).again;
}

async function limitsOf(sql: Sql, { id }: Organization) {
  const { wanted, pushed, error } = only(
    await sql<{ wanted: number; pushed: number | null; error: string | null }[]>`
      select clerk_limit as wanted, clerk_limit_pushed as pushed, clerk_limit_error as error
      from public.organizations where id = ${id}`,
  );
  return [wanted, pushed, error];
}

Deno.test("the limit that Clerk is to have is the seats that can be used, and never 0", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    assert.deepEqual(await limitsOf(sql, organization), [1, null, null]);
    await setSeats(sql, organization, 5);
    assert.deepEqual(await limitsOf(sql, organization), [5, null, null]);
    await sql`
      update public.organization_subscriptions set renewal_seats = 3
      where organization_id = ${organization.id}`;
    assert.deepEqual(await limitsOf(sql, organization), [3, null, null]);
    await setSeats(sql, organization, 0);
    assert.deepEqual(await limitsOf(sql, organization), [1, null, null]);
    await sql`
      delete from public.organization_subscriptions where organization_id = ${organization.id}`;
    assert.deepEqual(await limitsOf(sql, organization), [1, null, null]);
  }));

Deno.test("a limit is pushed once, by one at a time", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, queued: true });

    const push = await start(sql, organization);
    assert.deepEqual([push?.limit, push?.clerkOrgId], [5, organization.clerkOrgId]);
    assert.equal(await start(sql, organization), null);
    assert.equal(await finish(sql, organization, push, 5), false);

    assert.deepEqual(await limitsOf(sql, organization), [5, 5, null]);
    assert.equal(await start(sql, organization), null);
  }));

Deno.test("a limit that changes during the push is pushed again, and nobody trusts the old one meanwhile", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, queued: true });
    await finish(sql, organization, await start(sql, organization), 5);
    await setSeats(sql, organization, 8);
    const push = await start(sql, organization);
    assert.deepEqual(await limitsOf(sql, organization), [8, null, null]);
    await setSeats(sql, organization, 6);

    assert.equal(await finish(sql, organization, push, 8), true);

    assert.equal((await start(sql, organization))?.limit, 6);
  }));

Deno.test("of two pushes that overlap neither counts: the newer value ends up at Clerk", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, queued: true });
    const slow = await start(sql, organization);
    await setSeats(sql, organization, 8);
    await sql`
      update private.organization_syncs set limit_push_until = now() - interval '1 second'
      where organization_id = ${organization.id}`;
    const quick = await start(sql, organization);

    assert.equal(await finish(sql, organization, quick, 8), false);
    assert.deepEqual(await limitsOf(sql, organization), [8, 8, null]);
    // Clerk may have taken the 5 after the 8.
    assert.equal(await finish(sql, organization, slow, 5), true);

    assert.deepEqual(await limitsOf(sql, organization), [8, null, null]);
    assert.equal((await start(sql, organization))?.limit, 8);
  }));

Deno.test("a refusal is kept until the limit changes; without an answer nothing is known", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, queued: true });
    await finish(sql, organization, await start(sql, organization), null, "limit_below_usage");
    assert.deepEqual(await limitsOf(sql, organization), [5, null, "limit_below_usage"]);

    assert.equal(await finish(sql, organization, await start(sql, organization), null), false);
    assert.deepEqual(await limitsOf(sql, organization), [5, null, null]);
    await finish(sql, organization, await start(sql, organization), null, "limit_below_usage");
    await setSeats(sql, organization, 6);
    assert.deepEqual(await limitsOf(sql, organization), [6, null, null]);

    const { code } = await refusalIn(sql, (sql) => start(sql, { id: crypto.randomUUID() }));
    assert.equal(code, "organization_not_found");
  }));
