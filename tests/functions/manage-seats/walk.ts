import assert from "node:assert/strict";
import fc from "fast-check";
import type Stripe from "stripe";
import { createHandler } from "../../../supabase/functions/manage-seats/handler.ts";
import { assertRefused } from "../api.ts";
import type { Clients } from "../clients.ts";
import { advanceTo, type ClockedSubscriber, createSubscriberAt } from "./clock.ts";
import {
  callSeats,
  type Change,
  clickChange,
  type Preview,
  preview,
  seatsOf,
  subscriptionOf,
} from "./seats.ts";
import { type Beginning, PLANS, type Step, steps, type Terms, terms } from "./walk_steps.ts";

const FIRST = Date.UTC(2028, 0, 1) / 1000;
const YEAR = 366 * 24 * 60 * 60;

/** Takes random walks, one after the other, until one goes wrong. */
export async function takeWalks(
  clients: Clients,
  { seed, walks, longest }: {
    readonly seed: number;
    readonly walks: number;
    /** The most steps of one; each can be an invoice, of which a subscription takes 10 a minute. */
    readonly longest: number;
  },
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(terms, fc.integer({ min: FIRST, max: FIRST + YEAR })),
      fc.array(steps, { minLength: 1, maxLength: longest }),
      ([bought, at], taken) =>
        Walk.run(clients, { ...bought, at }, async (walk) => {
          for (const step of taken) await walk.take(step);
          await walk.checkStripe();
        }),
    ),
    // Shrinking would walk for minutes: the seed that is printed can be replayed.
    { numRuns: walks, seed, endOnFailure: true },
  );
}

/** One organization's walk on a test clock, and beside it what it must lead to. */
export class Walk {
  #paid: Terms;
  #scheduled: Terms | null = null;
  #now: number;
  #period = { start: 0, end: 0 };
  #latestInvoice = "";

  private constructor(
    private readonly clients: Clients,
    private readonly base: string,
    private readonly subscriber: ClockedSubscriber,
    { at, ...paid }: Beginning,
  ) {
    this.#now = at;
    this.#paid = paid;
  }

  /** Runs with a walk of a new organization that pays for what it begins with. */
  static async run(
    clients: Clients,
    beginning: Beginning,
    take: (walk: Walk) => Promise<void>,
  ): Promise<void> {
    const { admin: database, env, stripe } = clients;
    const subscriber = await createSubscriberAt(clients, beginning.at, beginning);
    const config = {
      SITE_URL: env.SITE_URL,
      ALLOWED_RETURN_ORIGINS: [],
      CLERK_JWT_KEY: env.CLERK_JWT_KEY,
      CLERK_AUTHORIZED_PARTIES: [env.SITE_URL],
    };
    const alert = () => Promise.reject(new Error("A change got stuck"));
    const now = () => walk.#now * 1000;
    const handler = createHandler({ config, database, stripe, alert, now });
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
    const base = `http://127.0.0.1:${server.addr.port}`;
    const walk: Walk = new Walk(clients, base, subscriber, beginning);
    try {
      await walk.#look();
      await walk.check();
      await take(walk);
    } finally {
      await server.shutdown();
    }
  }

  /** Takes one step, and asserts what it must have led to. */
  async take(step: Step): Promise<void> {
    if (step.kind === "wait") await this.#wait(this.#after(step.periods));
    else if (step.kind === "undo") await this.#undo();
    else await this.#change(step.wish, step.delay);
    await this.check();
  }

  /** Asserts that Postgres has what the model has. */
  async check(): Promise<void> {
    await this.#settle();
    assert.deepEqual(await seatsOf(this.clients, this.subscriber), {
      plan: this.#paid.plan,
      purchased: this.#paid.seats,
      renewal: (this.#scheduled ?? this.#paid).seats,
    });
  }

  /** Asserts that Stripe bills at renewal what the model has. */
  async checkStripe(): Promise<void> {
    const { quantity, lookupKey } = await subscriptionOf(this.clients, this.subscriber);
    const { plan, billingPeriod, seats } = this.#scheduled ?? this.#paid;
    assert.deepEqual([quantity, lookupKey], [seats, `seatkeeper_${plan}_${billingPeriod}`]);
  }

  /** How a wish ends: a kind of change, or the code of the refusal. */
  #judge(wish: Terms): { kind: "now" | "renewal" } | { code: string } {
    const plan = PLANS[wish.plan];
    if (wish.seats < plan.min || wish.seats > plan.max) return { code: "seats_out_of_bounds" };
    const step = plan.rank - PLANS[this.#paid.plan].rank;
    const isFree = step <= 0 && wish.seats <= this.#paid.seats &&
      wish.billingPeriod === this.#paid.billingPeriod;
    if (isSame(wish, this.#scheduled ?? this.#paid)) return { code: "nothing_to_change" };
    if (step < 0 && !isFree) return { code: "downgrade_alone" };
    if (!isFree && this.#scheduled !== null) return { code: "change_scheduled" };
    return { kind: isFree ? "renewal" : "now" };
  }

  async #change(wish: Terms, delay: number): Promise<void> {
    const expected = this.#judge(wish);
    const shown = await preview(this.clients, this.subscriber, { ...wish }, this.base);
    if ("code" in expected) {
      assert.deepEqual([shown.outcome, shown.code], ["refused", expected.code]);
      const answer = await this.#click({ ...wish });
      assertRefused(
        answer,
        expected.code.includes("bounds") || expected.code.includes("alone") ? 422 : 409,
        expected.code,
      );
      return;
    }
    assert.equal(shown.outcome, expected.kind);
    await this.#wait(Math.min(this.#now + delay, this.#period.end - 1));
    const before = this.#latestInvoice;
    const startsPeriod = wish.billingPeriod !== this.#paid.billingPeriod;

    const { status, body } = await this.#click({
      ...wish,
      ...(shown.prorationDate === null ? {} : { prorationDate: shown.prorationDate }),
    });

    assert.equal(status, 200, JSON.stringify(body));
    const invoice = await this.#look();
    if (expected.kind === "now") {
      assert.equal(invoice.amount_due, shown.dueToday);
      assert.notEqual(invoice.id, before);
      assert.deepEqual([invoice.status, body.state], ["paid", "completed"]);
      this.#paid = wish;
    } else {
      assert.equal(shown.dueToday, 0);
      assert.equal(invoice.id, before);
      this.#scheduled = isSame(wish, this.#paid) ? null : wish;
      assert.equal(body.state, this.#scheduled === null ? "completed" : "scheduled");
    }
    await this.#checkNextInvoice(shown.nextInvoice, startsPeriod ? delay : 0);
  }

  /** Asserts the invoice that was shown to come next; a period that began late also ends late. */
  async #checkNextInvoice(
    shown: Preview["nextInvoice"],
    late: number,
  ): Promise<void> {
    assert(shown !== null);
    const next = await this.clients.stripe.invoices.createPreview({
      subscription: this.subscriber.subscriptionId,
    });
    assert.equal(shown.amount, next.amount_due);
    const seconds = this.#period.end - Date.parse(shown.date) / 1000;
    assert(seconds >= 0 && seconds <= late, `${seconds} seconds from what was shown`);
  }

  async #undo(): Promise<void> {
    const answer = await callSeats<Change>(
      this.clients,
      this.subscriber,
      "DELETE",
      "/scheduled-change",
      {},
      this.base,
    );
    if (this.#scheduled === null) {
      assertRefused(answer, 409, "nothing_scheduled");
    } else {
      assert.deepEqual([answer.status, answer.body.state], [200, "completed"]);
      this.#scheduled = null;
    }
  }

  async #wait(until: number): Promise<void> {
    while (this.#now < until) {
      const { end } = this.#period;
      await this.#advance(Math.min(until, end));
      if (end > until) continue;
      await this.#look();
      this.#paid = this.#scheduled ?? this.#paid;
      this.#scheduled = null;
    }
  }

  async #advance(to: number): Promise<void> {
    await advanceTo(this.clients, this.subscriber, to);
    this.#now = to;
    await this.#settle();
  }

  /** Waits until the webhooks about the walk's subscription are delivered. */
  async #settle(): Promise<void> {
    await this.clients.stripeControl.settle({ contains: this.subscriber.subscriptionId });
  }

  /** The moment that is so many of the current period's lengths from now. */
  #after(periods: number): number {
    const { start, end } = this.#period;
    return this.#now + Math.floor(periods * (end - start));
  }

  /** Looks at the subscription: notes its period, resolves to its latest invoice. */
  async #look(): Promise<Stripe.Invoice> {
    const { subscription } = await subscriptionOf(this.clients, this.subscriber);
    const { latest_invoice: invoice, items: { data: [item] } } = subscription;
    assert(item !== undefined && invoice !== null && typeof invoice === "object");
    this.#period = { start: item.current_period_start, end: item.current_period_end };
    this.#latestInvoice = invoice.id;
    return invoice;
  }

  #click(wish: Record<string, unknown>) {
    return clickChange(this.clients, this.subscriber, wish, crypto.randomUUID(), this.base);
  }
}

function isSame(one: Terms, other: Terms): boolean {
  return one.plan === other.plan && one.seats === other.seats &&
    one.billingPeriod === other.billingPeriod;
}
