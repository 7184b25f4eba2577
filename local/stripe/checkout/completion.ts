import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest } from "../api/errors.ts";
import { testCard } from "../customers/cards.ts";
import { createCustomer, liveCustomer } from "../customers/customer.ts";
import { attach, createBankDebit, createCard } from "../customers/payment_method.ts";
import { amounts } from "../invoices/invoice.ts";
import { idOf } from "../invoices/lifecycle.ts";
import { isRecurring, priceOf } from "../products/price.ts";
import { collect } from "../subscriptions/collection.ts";
import { trialEndOf } from "../subscriptions/creation.ts";
import {
  firstAmount,
  type FirstPayment,
  type Order,
  startSubscription,
} from "../subscriptions/start.ts";
import { inFrameOf } from "../test_clocks/frame.ts";
import { detailsOf, putSession, sessionDetailsOf } from "./session.ts";

/** How a customer pays on the hosted page. */
export interface Payment {
  /** Where the session knows no customer. */
  email: string | null;
  /** A bank debit, which takes days, instead of a card. */
  isDelayed: boolean;
  /** The number; empty where none is given. */
  card: string;
  /** Whether the card's owner has approved this payment. */
  isApproved: boolean;
}

/** What came of it: the session is complete, the owner has to approve, or the customer may retry. */
export type Result =
  | "completed"
  | "challenged"
  | "card_declined"
  | "invalid_number"
  | "missing_email";

/**
 * Pays an open session. Only when the payment has succeeded is anything made: the customer (where
 * there is none yet), the saved payment method, the subscription with its first invoice. A refused
 * card leaves the session open. See Stripe's changelog of 2025-03-31, "Checkout Sessions have lower
 * latency and new update semantics".
 */
export function paySession(
  account: Account,
  session: Stripe.Checkout.Session,
  payment: Payment,
): Result {
  const details = sessionDetailsOf(account, session.id);
  const known = session.customer === null ? null : liveCustomer(account, idOf(session.customer));
  const email = known?.email ?? session.customer_email ?? payment.email;
  if (known === null && email === null) return "missing_email";
  const frame = inFrameOf(account, known?.id);
  const order = orderOf(frame, session.id);
  const due = amounts(firstAmount(account, order), known?.balance ?? 0).amount_due;
  const needsMethod = due > 0 || session.payment_method_collection === "always";
  if (needsMethod && !payment.isDelayed) {
    const refusal = refusalOf(payment, due);
    if (refusal === "challenged") details.challenged = { card: payment.card, email: payment.email };
    if (refusal !== undefined) return refusal;
  }
  const customer = known ?? createCustomer(account, { email });
  const method = needsMethod ? saveMethod(account, payment, customer.id) : null;
  const first: FirstPayment = payment.isDelayed ? "processing" : "succeeded";
  const subscription = startSubscription(
    frame,
    { ...order, customer: customer.id, defaultPaymentMethod: method },
    first,
  );
  details.challenged = null;
  const paymentStatus = first === "processing" ? "unpaid" : "paid";
  const completed = putSession(account, {
    ...session,
    customer: customer.id,
    customer_details: detailsOf(email, customer),
    invoice: subscription.latest_invoice,
    payment_status: due === 0 ? "no_payment_required" : paymentStatus,
    status: "complete",
    subscription: subscription.id,
    url: null,
  });
  account.emit("checkout.session.completed", completed);
  return "completed";
}

/** The bank says, days later, how a delayed payment went. Throws where none is under way. */
export function settleDelayed(
  account: Account,
  session: Stripe.Checkout.Session,
  outcome: "succeeded" | "failed",
): Stripe.Checkout.Session {
  const invoice = account.state.invoices[idOf(session.invoice)];
  const isUnderWay = session.status === "complete" && session.payment_status === "unpaid" &&
    invoice?.status === "open" && !invoice.attempted;
  if (!isUnderWay) throw invalidRequest(`The session ${session.id} awaits no delayed payment.`);
  if (outcome === "failed") {
    collect(inFrameOf(account, invoice.id), invoice, "declined");
    account.emit("checkout.session.async_payment_failed", session);
    return session;
  }
  collect(inFrameOf(account, invoice.id), invoice, "succeeded");
  const paid = putSession(account, { ...session, payment_status: "paid" });
  account.emit("checkout.session.async_payment_succeeded", paid);
  return paid;
}

/** What the session's customer subscribes to; the customer is filled in when it is known. */
function orderOf(account: Account, id: string): Order {
  const { lineItems, subscription } = sessionDetailsOf(account, id);
  const items = lineItems.data.map(({ price, quantity, metadata }) => {
    // Since the session was opened the price may have become inactive; that stops no one.
    const current = priceOf(account, price?.id ?? "");
    if (!isRecurring(current)) throw new Error(`The price ${current.id} is not recurring.`);
    return { price: current, quantity: quantity ?? 1, metadata: metadata ?? {} };
  });
  return {
    customer: "",
    currency: items[0]?.price.currency ?? "",
    items,
    metadata: subscription.metadata,
    description: subscription.description,
    defaultPaymentMethod: null,
    trialEnd: trialEndOf(account, {
      trial_end: subscription.trialEnd ?? undefined,
      trial_period_days: subscription.trialDays ?? undefined,
    }),
    missingPaymentMethod: subscription.missingPaymentMethod,
  };
}

function refusalOf({ card: number, isApproved }: Payment, due: number): Result | undefined {
  const card = testCard(number);
  if (card === undefined) return "invalid_number";
  if (card.behaviour === "authenticates" && !isApproved) return "challenged";
  const isDeclined = card.refusedAtOnce || (card.behaviour === "declines" && due > 0);
  return isDeclined ? "card_declined" : undefined;
}

function saveMethod(account: Account, payment: Payment, customer: string): string {
  const method = payment.isDelayed ? createBankDebit(account) : createCard(account, payment.card);
  return attach(account, method.id, customer).id;
}
