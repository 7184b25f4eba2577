import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { resourceMissing } from "../api/errors.ts";
import { newId } from "../api/ids.ts";
import { pageOf } from "../api/listing.ts";
import { integer, pagination, paramsOf, text } from "../api/params.ts";
import { deleteCustomer } from "../customers/deletion.ts";
import { startAdvance } from "./advance.ts";
import { customersOn } from "./frame.ts";

const KEPT_SECONDS = 30 * 24 * 60 * 60;

const createParams = paramsOf<Stripe.TestHelpers.TestClockCreateParams>()({
  frozen_time: integer,
  name: text.optional(),
});
const retrieveParams = paramsOf<Stripe.TestHelpers.TestClockRetrieveParams>()({});
const advanceParams = paramsOf<Stripe.TestHelpers.TestClockAdvanceParams>()({
  frozen_time: integer,
});
const listParams = paramsOf<Stripe.TestHelpers.TestClockListParams>()(pagination);

/** Endpoints of test clocks. `soon` is called when a clock is to be moved after the answer. */
export function testClockRoutes(api: Api, soon: () => void): void {
  const path = "/v1/test_helpers/test_clocks";
  api.post(path, createParams, ({ account, params }) => {
    const now = account.clock.now();
    const clock: Stripe.TestHelpers.TestClock = {
      id: newId("clock"),
      object: "test_helpers.test_clock",
      created: now,
      deletes_after: now + KEPT_SECONDS,
      frozen_time: params.frozen_time,
      livemode: false,
      name: params.name ?? null,
      status: "ready",
      status_details: {},
    };
    account.state.testClocks[clock.id] = clock;
    account.emit("test_helpers.test_clock.created", clock);
    return clock;
  });
  api.get(`${path}/:id`, retrieveParams, ({ account, id }) => testClockOf(account, id));
  api.get(path, listParams, ({ account, params }) => {
    return pageOf(newestFirst(account.state.testClocks), params, "test_clock", path);
  });
  api.post(`${path}/:id/advance`, advanceParams, ({ account, params, id }) => {
    const clock = startAdvance(account, testClockOf(account, id), params.frozen_time);
    soon();
    return clock;
  });
  api.delete(`${path}/:id`, retrieveParams, ({ account, id }) => {
    const clock = testClockOf(account, id);
    for (const customer of customersOn(account, id)) deleteCustomer(account, customer);
    delete account.state.testClocks[id];
    account.emit("test_helpers.test_clock.deleted", clock);
    return {
      id,
      object: clock.object,
      deleted: true,
    } satisfies Stripe.TestHelpers.DeletedTestClock;
  });
}

/** The test clock with this id. Throws resource_missing. */
export function testClockOf(
  account: Account,
  id: string,
  param?: string,
): Stripe.TestHelpers.TestClock {
  const clock = account.state.testClocks[id];
  if (clock === undefined) throw resourceMissing("test_clock", id, param);
  return clock;
}
