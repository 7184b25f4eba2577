import { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { cardDeclined, resourceMissing } from "../api/errors.ts";
import { newId } from "../api/ids.ts";
import { cardDetails, type ChargeOutcome, testCard } from "./cards.ts";

/** Saves a test card, which belongs to nobody yet. Throws where there is no such card. */
export function createCard(account: Account, numberOrId: string): Stripe.PaymentMethod {
  const card = testCard(numberOrId);
  if (card === undefined) throw resourceMissing("PaymentMethod", numberOrId, "payment_method");
  const method = paymentMethod(account, {
    type: "card",
    card: cardDetails(card.number, account.clock.now()),
  });
  account.state.cardBehaviours[method.id] = card.behaviour;
  return method;
}

/** Saves a bank account, to which payments take days; how they end is decided from outside. */
export function createBankDebit(account: Account): Stripe.PaymentMethod {
  const bank = {
    bank_code: "37040044",
    branch_code: "",
    country: "DE",
    fingerprint: "fingerprint3000",
    generated_from: null,
    last4: "3000",
  } satisfies Stripe.PaymentMethod.SepaDebit;
  return paymentMethod(account, { type: "sepa_debit", sepa_debit: bank });
}

/**
 * Gives a payment method to a customer. One of Stripe's test ids becomes a card of its own. Throws
 * where it names nothing, and card_declined for a card that can't be saved.
 */
export function attach(account: Account, id: string, customer: string): Stripe.PaymentMethod {
  if (testCard(id)?.refusedAtOnce) throw cardDeclined("declined");
  const method = account.state.paymentMethods[id] ?? createCard(account, id);
  const attached = { ...method, customer };
  account.state.paymentMethods[method.id] = attached;
  account.emit("payment_method.attached", attached);
  return attached;
}

/** The id, if it names a payment method of this customer. Throws resource_missing otherwise. */
export function ownMethod(account: Account, id: string, customer: string, param: string): string {
  if (account.state.paymentMethods[id]?.customer === customer) return id;
  throw resourceMissing("PaymentMethod", id, param);
}

/**
 * Charges a payment method. `customerIsThere` says whether someone can approve an authentication,
 * as on a Checkout page but not at a renewal. Without a payment method it is declined.
 */
export function charge(
  account: Account,
  paymentMethod: string | null,
  customerIsThere: boolean,
): ChargeOutcome {
  if (paymentMethod === null) return "declined";
  const behaviour = account.state.cardBehaviours[paymentMethod] ?? "pays";
  if (behaviour === "authenticates" && !customerIsThere) return "requires_action";
  return behaviour === "declines" ? "declined" : "succeeded";
}

function paymentMethod(
  account: Account,
  details: Pick<Stripe.PaymentMethod, "type" | "card" | "sepa_debit">,
): Stripe.PaymentMethod {
  const method: Stripe.PaymentMethod = {
    id: newId("pm"),
    object: "payment_method",
    allow_redisplay: "unspecified",
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    created: account.clock.now(),
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    ...details,
  };
  account.state.paymentMethods[method.id] = method;
  return method;
}
