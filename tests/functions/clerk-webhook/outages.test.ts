import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { ledgerOutcome } from "../rows.ts";
import { closedAddress, logged, withFunction } from "../served_function.ts";
import { deliverSigned, newMessageId, outcomeOf } from "./deliveries.ts";
import { seatsOf } from "./people.ts";
import { membershipEvent, newCast } from "./published_events.ts";

const clients = connect(stackEnv());
const { sql } = clients;

for (
  const [what, settings] of [
    ["cannot be reached", { SUPABASE_URL: closedAddress() }],
    ["refuses our key", { SUPABASE_SECRET_KEYS: JSON.stringify({ default: "sb_secret_wrong" }) }],
  ] as const
) {
  Deno.test(`while the database ${what} Clerk is told to deliver again, and the event lands`, async () => {
    const cast = newCast();
    const event = membershipEvent(cast, { what: "created", who: "owner", seconds: 0 });
    const id = newMessageId();
    await withFunction(clients, "clerk-webhook", settings, async (served) => {
      const answer = await deliverSigned(clients, event, { id }, served.base);
      assertRefused(answer, 503, "database_unavailable");
      assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
      const [line, ...more] = logged(served);
      assert.deepEqual(more, []);
      assert.equal(line?.["level"], "error");
      assert.equal(line["code"], "database_unavailable");
    });
    assert.equal(await ledgerOutcome(sql, id), null);
    assert.equal(await seatsOf(sql, cast.organizationId), null);

    assert.equal(await outcomeOf(clients, event, { id }), "applied");
    assert.deepEqual(await seatsOf(sql, cast.organizationId), { members: 1, invitations: 0 });
  });
}
