import type { Stripe } from "stripe";
import { EmulatorControl } from "../emulation/control.ts";

/** How a charge goes that a test decides about; "card" leaves it to the saved card. */
export type Payment = "card" | "succeeded" | "declined" | "requires_action";

/** A customer's input on the hosted Checkout page. */
export interface CheckoutForm {
  /** A test card's number; 4242 4242 4242 4242, which pays, unless given. */
  card?: string;
  /** Needed where the session knows no customer. */
  email?: string;
  /** "later" is a bank debit, to be settled with `settleCheckout`. */
  method?: "card" | "later";
}

/**
 * What customers, banks and the passing of time do to the Stripe emulator, typed: for tests and the
 * demo. Every method rejects when the emulator refuses.
 */
export class StripeControl extends EmulatorControl {
  readonly #url: string;

  /** Takes the emulator's address, for example `STRIPE_API_BASE`. */
  constructor(url: string) {
    super(url);
    this.#url = url;
  }

  /**
   * Pays a Checkout Session on its hosted page. Resolves to the address that the browser is sent to:
   * the success address, or the page again with `?problem=…`, or its `/authenticate`.
   */
  payCheckout(sessionId: string, form: CheckoutForm = {}): Promise<string> {
    return this.#submit(`/c/pay/${sessionId}`, { card: "4242424242424242", ...form });
  }

  /** Approves or refuses a payment that 3-D Secure asks about; resolves as `payCheckout` does. */
  authenticateCheckout(sessionId: string, decision: "approve" | "refuse"): Promise<string> {
    return this.#submit(`/c/pay/${sessionId}/authenticate`, { decision });
  }

  /**
   * Pays an open invoice on its hosted page, that of a pending update for one. Resolves to the
   * address that the browser is sent to: the page, with `?problem=…` after a refusal, or its
   * `/authenticate`.
   */
  payHostedInvoice(invoiceId: string, form: Pick<CheckoutForm, "card"> = {}): Promise<string> {
    return this.#submit(`/i/${invoiceId}`, { card: "4242424242424242", ...form });
  }

  /** Approves or refuses a payment that 3-D Secure asks about; resolves as `payHostedInvoice` does. */
  authenticateInvoice(invoiceId: string, decision: "approve" | "refuse"): Promise<string> {
    return this.#submit(`/i/${invoiceId}/authenticate`, { decision });
  }

  /** Cancels a subscription in the customer portal, at its period's end or as configured. */
  cancelInPortal(portalSessionId: string, subscription: string): Promise<string> {
    return this.#submit(`/p/session/${portalSessionId}`, { action: "cancel", subscription });
  }

  /** Keeps a subscription after all that was to end. */
  reactivateInPortal(portalSessionId: string, subscription: string): Promise<string> {
    return this.#submit(`/p/session/${portalSessionId}`, { action: "reactivate", subscription });
  }

  /**
   * Replaces the customer's card in the portal, by a test card's number. Resolves, as the other two
   * do, to the address that the browser is sent to: the page, after a refusal with `?problem=…`.
   */
  replaceCardInPortal(portalSessionId: string, card: string): Promise<string> {
    return this.#submit(`/p/session/${portalSessionId}`, { action: "card", card });
  }

  /** The time to pay for a subscription's pending update is up. */
  expirePendingUpdate(subscriptionId: string): Promise<Stripe.Subscription> {
    return this.request("POST", `/subscriptions/${subscriptionId}/expire_pending_update`);
  }

  /**
   * What becomes of past_due subscriptions, or of those of one customer, when the last retry has
   * failed; they are cancelled unless told.
   */
  setAfterRetries(
    outcome: "canceled" | "unpaid" | "past_due",
    customer?: string,
  ): Promise<unknown> {
    return this.request("POST", "/retries", {
      outcome,
      ...(customer === undefined ? {} : { customer }),
    });
  }

  /** The bank's word on a delayed payment. */
  settleCheckout(
    sessionId: string,
    outcome: "succeeded" | "failed",
  ): Promise<Stripe.Checkout.Session> {
    return this.request("POST", `/checkout/sessions/${sessionId}/settle`, { outcome });
  }

  /** The current period ends: the next one is billed, or the subscription is over. */
  endPeriod(subscriptionId: string, payment: Payment = "card"): Promise<Stripe.Subscription> {
    return this.request("POST", `/subscriptions/${subscriptionId}/end_period`, { payment });
  }

  /** A trial ends, and the first period is billed. */
  endTrial(subscriptionId: string, payment: Payment = "card"): Promise<Stripe.Subscription> {
    return this.request("POST", `/subscriptions/${subscriptionId}/end_trial`, { payment });
  }

  /** The retries for a past_due subscription are used up: it becomes unpaid. */
  markUnpaid(subscriptionId: string): Promise<Stripe.Subscription> {
    return this.request("POST", `/subscriptions/${subscriptionId}/mark_unpaid`);
  }

  /** The retries for a past_due subscription are used up: it is cancelled. */
  cancelForNonPayment(subscriptionId: string): Promise<Stripe.Subscription> {
    return this.request("POST", `/subscriptions/${subscriptionId}/cancel_for_non_payment`);
  }

  /** The first payment of an incomplete subscription never came. */
  expireIncomplete(subscriptionId: string): Promise<Stripe.Subscription> {
    return this.request("POST", `/subscriptions/${subscriptionId}/expire_incomplete`);
  }

  /** Collects an open invoice, whatever the saved card would say. */
  payInvoice(
    invoiceId: string,
    outcome: Exclude<Payment, "card"> = "succeeded",
  ): Promise<Stripe.Invoice> {
    return this.request("POST", `/invoices/${invoiceId}/pay`, { outcome });
  }

  async #submit(path: string, form: object): Promise<string> {
    const response = await fetch(this.#url + path, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ ...form }),
    });
    const text = await response.text();
    const location = response.headers.get("location");
    if (response.status === 303 && location !== null) return location;
    throw new Error(`POST ${path} answered ${response.status}: ${text}`);
  }
}
