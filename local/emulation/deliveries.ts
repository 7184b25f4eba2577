import { DeliveryPolicies } from "./delivery_policies.ts";
import {
  type DeliveriesState,
  type Delivery,
  type DeliveryAttempt,
  type DeliveryFilter,
  type DeliveryOrder,
  type DeliveryRequest,
  matchesDelivery,
  ordered,
} from "./delivery_records.ts";

/** Finished deliveries kept for listing and replaying. */
const KEPT = 2000;

/** The delays before each attempt: at once, then soon, so that a test sees a retry. */
export const LOCAL_RETRY_SCHEDULE_MS: readonly number[] = [0, 200, 1000, 5000, 30_000, 120_000];

/** What `Deliveries` is built from. */
export interface DeliveriesOptions {
  /** Where the deliveries are kept; usually a part of the emulator's own state. */
  state: DeliveriesState;
  /** Called after every change to the state. */
  changed: () => void;
  /** The headers of one attempt, the signature among them. Called anew for every attempt. */
  sign: (delivery: Delivery) => Record<string, string> | Promise<Record<string, string>>;
  /** The delay before each attempt, the first one included. Its length is how often it is tried. */
  retryScheduleMs?: readonly number[];
  /** How long an endpoint may take to answer. */
  timeoutMs?: number;
}

/** How one replayed event was answered. */
export interface ReplayResult extends DeliveryAttempt {
  eventId: string;
  type: string;
  url: string;
}

/**
 * The outbox of signed webhooks: sends each delivery at least once, all of them in parallel, until
 * an endpoint answers 2xx (a redirect is a failure) or the schedule is used up. What was pending
 * when the state was saved is taken up again after a restart.
 */
export class Deliveries {
  readonly policies = new DeliveryPolicies();
  readonly #options: DeliveriesOptions;
  readonly #schedule: readonly number[];
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #watchers = new Set<() => void>();
  readonly #stop = new AbortController();

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    this.#schedule = options.retryScheduleMs ?? LOCAL_RETRY_SCHEDULE_MS;
    for (const delivery of this.list({ state: "pending" })) this.#plan(delivery);
  }

  /** Takes a delivery and what the policies make of it; sends it after the caller has returned. */
  enqueue(request: DeliveryRequest): void {
    const { endpointUrl: url, secretRef, eventId, type, payload } = request;
    const make = (): Delivery => ({
      id: `delivery_${crypto.randomUUID()}`,
      eventId,
      type,
      url,
      secretRef,
      payload,
      attempts: [],
      state: "pending",
      dueAt: null,
    });
    const verdict = this.policies.judge(make());
    for (let copy = 0; copy <= verdict.copies; copy += 1) {
      const delivery = make();
      delivery.state = verdict.state;
      this.#options.state.deliveries.push(delivery);
      if (delivery.state === "pending") {
        delivery.dueAt = Date.now() + (this.#schedule[0] ?? 0) + verdict.delayMs;
        this.#plan(delivery);
      }
    }
    this.#forgetOldest();
    this.#changed();
  }

  /** The matching deliveries, oldest first. */
  list(filter: DeliveryFilter = {}): Delivery[] {
    return this.#options.state.deliveries.filter((delivery) => matchesDelivery(delivery, filter));
  }

  /**
   * Waits until no matching delivery is pending (held and dropped ones don't count). Resolves to
   * false when that takes longer than `timeoutMs`.
   */
  settle(filter: DeliveryFilter, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (settled: boolean) => {
        clearTimeout(timer);
        this.#watchers.delete(check);
        resolve(settled);
      };
      const check = () => {
        if (this.list({ ...filter, state: "pending" }).length === 0) finish(true);
        else if (this.#stop.signal.aborted) finish(false);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.#watchers.add(check);
      check();
    });
  }

  /** Sends the matching held deliveries one after the other; those that fail are retried later. */
  async release(filter: DeliveryFilter, order: DeliveryOrder): Promise<Delivery[]> {
    const held = ordered(this.list({ ...filter, state: "held" }), order);
    for (const delivery of held) delivery.state = "pending";
    this.#changed();
    for (const delivery of held) await this.#attempt(delivery);
    return held;
  }

  /**
   * Sends every matching past event again, `times` each, one after the other, freshly signed under
   * the same event id. Lost events are sent too, held ones are not. Changes no delivery.
   */
  async replay(
    filter: DeliveryFilter,
    times: number,
    order: DeliveryOrder,
  ): Promise<ReplayResult[]> {
    const events = new Map<string, Delivery>();
    for (const delivery of this.list(filter)) {
      if (delivery.state === "held") continue;
      events.set(`${delivery.eventId} ${delivery.url}`, delivery);
    }
    const sendings = Array.from({ length: times }, () => [...events.values()]).flat();
    const results: ReplayResult[] = [];
    for (const delivery of ordered(sendings, order)) {
      const { eventId, type, url } = delivery;
      results.push({ eventId, type, url, ...await this.#send(delivery) });
    }
    return results;
  }

  /** Makes the waiting retries that match due now; says how many. */
  retry(filter: DeliveryFilter): number {
    const waiting = this.list({ ...filter, state: "pending" })
      .filter((delivery) => this.#timers.has(delivery.id));
    for (const delivery of waiting) {
      delivery.dueAt = Date.now();
      this.#plan(delivery);
    }
    return waiting.length;
  }

  /** Breaks off what is under way; it stays pending in the state. Nothing is sent afterwards. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const watcher of [...this.#watchers]) watcher();
    await Promise.allSettled(this.#underWay);
  }

  #plan(delivery: Delivery): void {
    if (this.#stop.signal.aborted) return;
    clearTimeout(this.#timers.get(delivery.id));
    const wait = Math.max(0, (delivery.dueAt ?? 0) - Date.now());
    this.#timers.set(
      delivery.id,
      setTimeout(() => {
        this.#timers.delete(delivery.id);
        void this.#attempt(delivery);
      }, wait),
    );
  }

  async #attempt(delivery: Delivery): Promise<void> {
    delivery.dueAt = null;
    const attempt = await this.#send(delivery);
    if (this.#stop.signal.aborted) return;
    delivery.attempts.push(attempt);
    const delay = this.#schedule[delivery.attempts.length];
    if (isSuccess(attempt)) {
      delivery.state = "delivered";
    } else if (delay === undefined) {
      delivery.state = "failed";
    } else {
      delivery.dueAt = Date.now() + delay;
      this.#plan(delivery);
    }
    this.#changed();
  }

  async #send(delivery: Delivery): Promise<DeliveryAttempt> {
    const at = Date.now();
    const sending = this.#post(delivery);
    this.#underWay.add(sending);
    try {
      return { at, status: await sending, error: null };
    } catch (error) {
      return { at, status: null, error: String(error) };
    } finally {
      this.#underWay.delete(sending);
    }
  }

  async #post(delivery: Delivery): Promise<number> {
    const signal = AbortSignal.any([
      this.#stop.signal,
      AbortSignal.timeout(this.#options.timeoutMs ?? 15_000),
    ]);
    const headers = { "content-type": "application/json", ...await this.#options.sign(delivery) };
    const { url, payload: body } = delivery;
    const response = await fetch(url, {
      method: "POST",
      redirect: "manual",
      headers,
      body,
      signal,
    });
    await response.body?.cancel();
    return response.status;
  }

  #changed(): void {
    this.#options.changed();
    for (const watcher of [...this.#watchers]) watcher();
  }

  #forgetOldest(): void {
    const { deliveries } = this.#options.state;
    while (deliveries.length > KEPT) {
      const oldest = deliveries.findIndex(({ state }) => state !== "pending" && state !== "held");
      if (oldest === -1) return;
      deliveries.splice(oldest, 1);
    }
  }
}

function isSuccess({ status }: DeliveryAttempt): boolean {
  return status !== null && status >= 200 && status < 300;
}
