import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { callSeats, change, createSubscriber, type Page } from "./seats.ts";

const clients = connect(stackEnv());

Deno.test("the account book is paged, newest first, and knows who did what", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 9 });
  interface Row {
    readonly id: number;
    readonly kind: string;
    readonly actor: string;
    readonly cause: string;
    readonly before: Readonly<Record<string, unknown>> | null;
    readonly after: Readonly<Record<string, unknown>> | null;
    readonly purchasedSeats: number;
    readonly seatsUsed: number;
    readonly createdAt: string;
  }
  const rows: Row[] = [];
  for (let query = "?limit=2";;) {
    const { status, body } = await callSeats<Page<Row>>(
      clients,
      subscriber,
      "GET",
      `/changes${query}`,
    );
    assert.equal(status, 200);
    rows.push(...body.data);
    if (body.nextCursor === null) break;
    assert.equal(body.data.length, 2);
    query = `?limit=2&cursor=${body.nextCursor}`;
  }
  const ids = rows.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)].toSorted((a, b) => b - a));
  assert.deepEqual(
    rows.length,
    (await clients.sql`
      select from public.billing_changes where organization_id = ${subscriber.id}`).length,
  );
  const bought = rows.find(({ after }) => after?.["purchased_seats"] === 9);
  assert.deepEqual([bought?.kind, bought?.before?.["purchased_seats"]], ["subscription", 5]);
  assert([subscriber.adminId, "stripe"].includes(bought?.actor ?? ""));
  assert.deepEqual([bought?.purchasedSeats, bought?.seatsUsed], [9, 1]);
  assert(!JSON.stringify(rows).includes(subscriber.customerId));
});
