import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import type { StripeControl } from "../../../local/stripe/control.ts";
import { customerWith, expanded, itemOf } from "./emulation.ts";
import type { Step, WalkPrice } from "./walk_steps.ts";

/** What the customer is billed for at a moment: so much for a period, since then. */
interface Billed {
  amount: number;
  since: number;
  start: number;
  end: number;
}

/**
 * One customer's walk through changes and time on a test clock, and beside it, reckoned from the
 * catalogue alone, what everything was worth.
 */
export class Walk {
  /** What the time that is over was worth, unrounded. */
  #worth = 0;
  #now: number;
  #subscription: Stripe.Subscription;
  #billed: Billed;

  private constructor(
    private readonly stripe: Stripe,
    private readonly control: StripeControl,
    private readonly prices: readonly WalkPrice[],
    private readonly cards: { good: string; bad: string },
    private readonly clock: Stripe.TestHelpers.TestClock,
    subscription: Stripe.Subscription,
  ) {
    this.#now = clock.frozen_time;
    this.#subscription = subscription;
    this.#billed = this.#whole();
  }

  /** Begins with a paid subscription. */
  static async begin(
    stripe: Stripe,
    control: StripeControl,
    prices: readonly WalkPrice[],
    start: { at: number; price: number; seats: number },
  ): Promise<Walk> {
    const clock = await stripe.testHelpers.testClocks.create({ frozen_time: start.at });
    const { id: customer, invoice_settings: settings } = await customerWith(
      stripe,
      "pm_card_visa",
      clock.id,
    );
    const bad = await stripe.paymentMethods.attach("pm_card_chargeCustomerFail", { customer });
    const subscription = await stripe.subscriptions.create({
      customer,
      items: [{ price: prices[start.price]?.id ?? "", quantity: start.seats }],
      expand: ["latest_invoice"],
    });
    const cards = { good: String(settings.default_payment_method), bad: bad.id };
    return new Walk(stripe, control, prices, cards, clock, subscription);
  }

  /** Takes one step, and holds every preview on the way against what is charged. */
  take(step: Step): Promise<void> {
    return step.kind === "wait" ? this.#wait(this.#now + step.seconds) : this.#change(step);
  }

  /** Credits and charges add up: against the balance, and against what everything was worth. */
  async checkMoney(): Promise<void> {
    const { customer: reference, id } = this.#subscription;
    const customer = await this.stripe.customers.retrieve(String(reference));
    const paid: Stripe.Invoice[] = [];
    for await (const invoice of this.stripe.invoices.list({ subscription: id, limit: 100 })) {
      assert(["paid", "void"].includes(invoice.status ?? ""), `invoice ${invoice.status}`);
      if (invoice.status === "paid") paid.push(invoice);
    }
    const sum = (of: (invoice: Stripe.Invoice) => number) =>
      paid.reduce((total, invoice) => total + of(invoice), 0);
    const total = sum((invoice) => invoice.total);
    assert.equal(
      total,
      sum(({ lines }) => lines.data.reduce((all, { amount }) => all + amount, 0)),
    );
    assert.equal(
      total,
      sum(({ amount_paid }) => amount_paid) + (customer.deleted ? NaN : customer.balance),
    );
    const next = await this.stripe.invoices.createPreview({ subscription: id });
    const bare = await this.stripe.invoices.createPreview({
      subscription: id,
      preview_mode: "recurring",
    });
    const waiting = next.total - bare.total;
    const prorations = sum(({ lines }) => lines.data.length) + next.lines.data.length;
    const worth = this.#worth + this.#shareUntil(this.#billed.end);
    const difference = Math.abs(total + waiting - worth);
    assert(difference <= prorations / 2, `${total} + ${waiting} for what is worth ${worth}`);
  }

  async #wait(until: number): Promise<void> {
    while (this.#billed.end <= until) {
      const { id } = this.#subscription;
      const preview = await this.stripe.invoices.createPreview({ subscription: id });
      const { end } = this.#billed;
      await this.#advance(end);
      this.#worth += this.#shareUntil(end);
      this.#billed = this.#whole();
      const renewal = expanded(this.#subscription.latest_invoice);
      assert.equal(renewal.billing_reason, "subscription_cycle");
      assertCharged(renewal, preview);
    }
    if (until > this.#now) await this.#advance(until);
  }

  async #change(step: Extract<Step, { kind: "change" }>): Promise<void> {
    const { id, items: { data: [item] } } = this.#subscription;
    const price = this.prices[step.price];
    if (item === undefined || price === undefined) throw new Error("There is nothing to change.");
    // What Stripe would prorate where nothing changes, no document says.
    if (item.price.id === price.id && item.quantity === step.seats) return;
    const isNewPeriod = item.plan.interval !== intervalOf(price);
    const date = this.#now;
    const change = {
      items: [{ id: item.id, price: price.id, quantity: step.seats }],
      proration_behavior: step.behaviour,
      ...(step.behaviour === "none" ? {} : { proration_date: date }),
      ...(isNewPeriod ? { billing_cycle_anchor: { type: "now" as const } } : {}),
    };
    const preview = await this.stripe.invoices.createPreview({
      subscription: id,
      subscription_details: change,
    });
    const later = Math.min(date + step.delay, this.#billed.end - 1);
    if (later > date) await this.#advance(later);
    if (step.payment !== "paid") await this.#useCard(this.cards.bad);
    const before = this.#subscription;
    this.#subscription = await this.stripe.subscriptions.update(id, {
      ...change,
      payment_behavior: "pending_if_incomplete",
      expand: ["latest_invoice"],
    });
    const invoice = expanded(this.#subscription.latest_invoice);
    if (invoice.id === expanded(before.latest_invoice).id) {
      // Nothing was billed now, so it is the next renewal that was previewed.
      const next = await this.stripe.invoices.createPreview({ subscription: id });
      assert.equal(next.total, preview.total);
    } else {
      assertCharged(invoice, preview);
    }
    const isApplied = this.#subscription.pending_update === null ||
      await this.#resolve(step.payment, before, invoice);
    if (step.payment !== "paid") await this.#useCard(this.cards.good);
    if (isApplied) this.#note(step.behaviour, date, isNewPeriod);
  }

  /** Pays for a pending update, or lets it expire; says whether it was applied. */
  async #resolve(
    payment: "paid" | "later" | "never",
    before: Stripe.Subscription,
    invoice: Stripe.Invoice,
  ): Promise<boolean> {
    const held = this.#subscription;
    assert.equal(payment === "paid", false);
    assert.deepEqual([held.status, held.items], [before.status, before.items]);
    if (payment === "later") {
      await this.control.payHostedInvoice(invoice.id);
    } else {
      await this.#advance(held.pending_update?.expires_at ?? 0);
    }
    await this.#refresh();
    assert.equal(this.#subscription.pending_update, null);
    const { status } = await this.stripe.invoices.retrieve(invoice.id);
    assert.equal(status, payment === "later" ? "paid" : "void");
    if (payment === "later") return true;
    if (this.#now >= this.#billed.end) {
      // It expired with the period, and the renewal was billed to the card that is declined,
      // unless credit paid for it.
      const renewal = expanded(this.#subscription.latest_invoice);
      if (renewal.status === "open") await this.control.payInvoice(renewal.id);
      this.#worth += this.#shareUntil(this.#billed.end);
      await this.#refresh();
      this.#billed = this.#whole();
    }
    return false;
  }

  /** Notes what an applied change is worth from `date` on. */
  #note(behaviour: string, date: number, isNewPeriod: boolean): void {
    if (behaviour !== "none") {
      this.#worth += this.#shareUntil(date);
      this.#billed = { ...this.#whole(), since: date };
      if (isNewPeriod) this.#billed.since = this.#billed.start;
    } else if (isNewPeriod) {
      this.#worth += this.#shareUntil(this.#billed.end);
      this.#billed = this.#whole();
    }
  }

  async #advance(to: number): Promise<void> {
    await this.stripe.testHelpers.testClocks.advance(this.clock.id, { frozen_time: to });
    const { status, frozen_time } = await this.stripe.testHelpers.testClocks.retrieve(
      this.clock.id,
    );
    assert.deepEqual([status, frozen_time], ["ready", to]);
    this.#now = to;
    await this.#refresh();
  }

  async #refresh(): Promise<void> {
    this.#subscription = await this.stripe.subscriptions.retrieve(this.#subscription.id, {
      expand: ["latest_invoice"],
    });
  }

  async #useCard(card: string): Promise<void> {
    await this.stripe.customers.update(String(this.#subscription.customer), {
      invoice_settings: { default_payment_method: card },
    });
  }

  #shareUntil(moment: number): number {
    const { amount, since, start, end } = this.#billed;
    return amount * (moment - since) / (end - start);
  }

  /** The whole current period, at the catalogue's price. */
  #whole(): Billed {
    const { price: { id }, quantity = 0, current_period_start: start, current_period_end: end } =
      itemOf(this.#subscription);
    const row = this.prices.find((price) => price.id === id)?.row;
    if (row === undefined) throw new Error(`The price ${id} is not in the catalogue.`);
    const extra = Math.max(0, quantity - row.includedSeats);
    return { amount: row.baseAmount + extra * row.seatAmount, since: start, start, end };
  }
}

function assertCharged(invoice: Stripe.Invoice, preview: Stripe.Invoice): void {
  const shown = (one: Stripe.Invoice) => ({
    amounts: one.lines.data.map(({ amount }) => amount),
    descriptions: one.lines.data.map(({ description }) => description),
    total: one.total,
    due: one.amount_due,
    balances: [one.starting_balance, one.ending_balance],
  });
  assert.deepEqual(shown(invoice), shown(preview));
}

function intervalOf({ row: { billingPeriod } }: WalkPrice): string {
  return billingPeriod === "yearly" ? "year" : "month";
}
