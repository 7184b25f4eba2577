import assert from "node:assert/strict";
import { approveMember } from "./commands.ts";
import { asRefusal, type Connections, withConnections } from "./connection.ts";
import { addRequests, makeOrganization, numbersOf, type Organization } from "./organizations.ts";
import { assertCounted } from "./recount.ts";
import {
  changedBy,
  changesOf,
  refuseChange,
  settleChange,
  standingOf,
  startChange,
  type Wish,
} from "./seat_changes.ts";
import {
  applySubscriptionEvent,
  second,
  type StripeSubscription,
  subscribe,
  subscriptionEvent,
} from "./paid_subscriptions.ts";

const CROWD = 64;
const ROUNDS = 20;

/** An organization that others can see, with paid seats and people who ask to join. */
async function visible(
  [sql]: Connections,
  { members, requests = 0, quantity }: { members: number; requests?: number; quantity: number },
): Promise<{
  organization: Organization;
  subscription: StripeSubscription;
  requests: readonly { readonly id: string }[];
}> {
  return await sql.begin(async (sql) => {
    const organization = await makeOrganization(sql, { members });
    const subscription = await subscribe(sql, organization, { quantity });
    return {
      organization,
      subscription,
      requests: await addRequests(sql, organization, requests),
    };
  });
}

/** The codes of the refusals among these, and the results of the rest. */
async function outcomes<Result>(
  attempts: readonly Promise<Result>[],
): Promise<{ results: Result[]; codes: string[] }> {
  const settled = await Promise.allSettled(attempts);
  return {
    results: settled.flatMap((one) => one.status === "fulfilled" ? [one.value] : []),
    codes: settled.flatMap((one) => one.status === "rejected" ? [asRefusal(one.reason).code] : []),
  };
}

for (
  const [what, wish] of [
    ["a decrease", { seats: 9 }],
    ["another billing period with fewer seats", { seats: 9, billingPeriod: "yearly" }],
  ] satisfies [string, Wish][]
) {
  Deno.test(`${what} and ${CROWD - 1} approvals that race for the last seat never both win`, () =>
    withConnections(CROWD, async (connections) => {
      const winners = new Set<string>();
      for (let round = 0; round < ROUNDS; round++) {
        const { organization, requests } = await visible(connections, {
          members: 9,
          requests: CROWD - 1,
          quantity: 10,
        });
        // The decrease stands in another place of the crowd each round.
        const place = (round * 13) % CROWD;
        const others = [...requests];
        const attempts = connections.map((sql, index) => {
          if (index === place) return startChange(sql, organization, wish);
          const request = others.pop();
          assert(request !== undefined);
          return approveMember(sql, request.id);
        });
        const { results, codes } = await outcomes<unknown>(attempts);

        assert.equal(results.length, 1);
        const decreased = (await changesOf(connections[0], organization)).length === 1;
        winners.add(decreased ? "decrease" : "approval");
        const refused = codes.filter((code) => code !== "seats_full");
        assert.deepEqual(refused, decreased ? [] : ["seats_below_usage"]);
        const { purchased, renewal } = await standingOf(connections[0], organization);
        const { used } = await numbersOf(connections[0], organization);
        assert(renewal !== null && used <= Math.min(purchased, renewal), `${used} of ${renewal}`);
        await assertCounted(connections[0], organization);
      }
      assert(winners.has("approval"));
    }));
}

Deno.test(`of ${CROWD} changes at once one begins`, () =>
  withConnections(CROWD, async (connections) => {
    for (let round = 0; round < 5; round++) {
      const { organization } = await visible(connections, { members: 4, quantity: 10 });
      const { results, codes } = await outcomes(
        connections.map((sql, index) =>
          startChange(sql, organization, { seats: index % 2 === 0 ? 12 : 6 })
        ),
      );
      assert.equal(results.length, 1);
      assert.deepEqual(new Set(codes), new Set(["change_in_progress"]));
      assert.equal((await changesOf(connections[0], organization)).length, 1);
    }
  }));

Deno.test(`${CROWD} calls with one key are one change`, () =>
  withConnections(CROWD, async (connections) => {
    const { organization } = await visible(connections, { members: 4, quantity: 10 });
    const { results, codes } = await outcomes(
      connections.map((sql) => startChange(sql, organization, { seats: 12, key: "one" })),
    );
    assert.deepEqual(codes, []);
    assert.equal(new Set(results.map(({ seatChangeId }) => seatChangeId)).size, 1);
    assert.equal((await changesOf(connections[0], organization)).length, 1);
  }));

Deno.test("Stripe's answer, its event and approvals that race leave the seats that were bought", () =>
  withConnections(16, async (connections) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { organization, subscription, requests } = await visible(connections, {
        members: 10,
        requests: 13,
        quantity: 10,
      });
      const [sql, answering, telling, ...approving] = connections;
      assert(answering !== undefined && telling !== undefined);
      const started = await startChange(sql, organization, { seats: 12 });
      const made = changedBy(started, subscription);
      const answer = async () => {
        const first = await settleChange(answering, started, { subscription: made });
        if (first.state !== "ask_stripe") return first.state;
        const again = { subscription: made, version: first.version ?? 0 };
        return (await settleChange(answering, started, again)).state;
      };
      const [state, , { results }] = await Promise.all([
        answer(),
        applySubscriptionEvent(telling, subscriptionEvent(made, second(5))),
        outcomes(
          approving.map((sql, index) => approveMember(sql, requests[index]?.id ?? "")),
        ),
      ]);

      assert.equal(state, "completed");
      const { purchased, renewal } = await standingOf(sql, organization);
      assert.deepEqual([purchased, renewal], [12, 12]);
      assert(results.length <= 2);
      assert.equal((await numbersOf(sql, organization)).used, 10 + results.length);
    }
  }));

Deno.test("a refusal of Stripe's and approvals that race never take a seat twice", () =>
  withConnections(16, async (connections) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { organization, requests } = await visible(connections, {
        members: 8,
        requests: 15,
        quantity: 10,
      });
      const [sql, ...approving] = connections;
      const started = await startChange(sql, organization, { seats: 8 });
      const [, { results }] = await Promise.all([
        refuseChange(sql, started),
        outcomes(approving.map((sql, index) => approveMember(sql, requests[index]?.id ?? ""))),
      ]);
      assert(results.length <= 2);
      const { purchased, renewal } = await standingOf(sql, organization);
      assert.deepEqual([purchased, renewal], [10, 10]);
      assert.equal((await numbersOf(sql, organization)).used, 8 + results.length);
    }
  }));
