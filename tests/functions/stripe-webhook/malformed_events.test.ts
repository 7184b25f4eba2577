import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { ledgerOutcome } from "../rows.ts";
import { deliverSigned, outcomeOf } from "./deliveries.ts";
import {
  type PublishedEvent,
  publishedEvent,
  publishedInvoice,
  publishedSession,
  publishedSubscription,
  randomToken,
} from "./published_events.ts";

const clients = connect(stackEnv());

type Changes = Readonly<Record<string, unknown>>;

/** A purchase by a customer whom nobody knows: what is well formed of it is ignored. */
function strangersPurchase() {
  return {
    organizationId: crypto.randomUUID(),
    customerId: `cus_${randomToken()}`,
    subscriptionId: `sub_${randomToken()}`,
    at: Math.floor(Date.now() / 1000),
  };
}

function updated(changes: Changes): PublishedEvent {
  const purchase = strangersPurchase();
  const object = publishedSubscription(purchase, 5, changes);
  return publishedEvent(purchase, "customer.subscription.updated", object);
}

function withItem(item: Changes | null): PublishedEvent {
  return updated({ items: { object: "list", data: [item], has_more: false } });
}

function completed(changes: Changes): PublishedEvent {
  const purchase = strangersPurchase();
  const object = publishedSession(purchase, changes);
  return publishedEvent(purchase, "checkout.session.completed", object);
}

function paid(changes: Changes): PublishedEvent {
  const purchase = strangersPurchase();
  return publishedEvent(purchase, "invoice.paid", { ...publishedInvoice(purchase), ...changes });
}

for (
  const [what, event] of [
    ["an empty id", { ...updated({}), id: "" }],
    ["an id of 256 characters", { ...updated({}), id: "e".repeat(256) }],
    ["a time that no calendar has", { ...updated({}), created: 9e15 }],
    ["no data", { ...updated({}), data: undefined }],
    ["no object", { ...updated({}), data: { object: null } }],
    ["a subscription without an id", updated({ id: undefined })],
    ["a subscription in a state that is none", updated({ status: "hibernating" })],
    ["a subscription made at no time", updated({ created: null })],
    ["a subscription without items", updated({ items: undefined })],
    ["items that are no list", updated({ items: { data: null } })],
    ["an item that is none", withItem(null)],
    ["fewer seats than none", withItem({ id: "si_1", quantity: -1 })],
    ["half a seat", withItem({ id: "si_1", quantity: 1.5 })],
    ["more seats than a number holds", withItem({ id: "si_1", quantity: 3_000_000_000 })],
    ["a period that ends in words", withItem({ id: "si_1", current_period_end: "never" })],
    ["a session of a subscription without an id", completed({ subscription: "" })],
    ["an invoice of one", paid({ parent: { subscription_details: { subscription: "" } } })],
  ] satisfies [string, PublishedEvent | object][]
) {
  Deno.test(`an event with ${what} is refused, though it is signed`, async () => {
    assertRefused(await deliverSigned(clients, event), 400, "invalid_event");
    if ("id" in event) assert.equal(await ledgerOutcome(clients.sql, String(event.id)), null);
  });
}

for (
  const [what, event] of [
    ["an item without a quantity", withItem({ id: "si_1", price: { lookup_key: null } })],
    ["an expanded customer and invoice", updated({ customer: { id: "cus" }, latest_invoice: {} })],
    ["an expanded subscription", completed({ subscription: { id: "sub_1", items: [] } })],
    ["a session of no subscription", completed({ subscription: null, mode: "setup" })],
    ["an invoice of nothing", paid({ parent: null })],
  ] satisfies [string, PublishedEvent][]
) {
  Deno.test(`an event with ${what} is well formed`, async () => {
    assert.equal(await outcomeOf(clients, event), "unknown_customer");
  });
}
