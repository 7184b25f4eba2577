import type { ReplayResult } from "./deliveries.ts";
import type { Policy, PolicyInput } from "./delivery_policies.ts";
import type { Delivery, DeliveryOrder } from "./delivery_records.ts";
import type { Fault, FaultInput } from "./faults.ts";

/** Which deliveries are meant; a field left out matches all. */
export interface DeliverySelection {
  contains?: string;
  type?: string;
}

/**
 * The control routes of an emulator, typed: how tests, the demo and the stack make it misbehave and
 * wait for its webhooks. Every method rejects when the emulator answers with an error.
 */
export class EmulatorControl {
  readonly #base: string;

  /** Takes the emulator's address, for example `CLERK_API_URL`. */
  constructor(url: string) {
    this.#base = `${url}/_emulator`;
  }

  /** Adds a fault; resolves to its id. */
  async addFault(fault: FaultInput): Promise<string> {
    return (await this.request<{ id: string }>("POST", "/faults", fault)).id;
  }

  /** Lists the faults, with how often each has struck. */
  faults(): Promise<Fault[]> {
    return this.request("GET", "/faults");
  }

  /** Removes one fault. */
  removeFault(id: string): Promise<void> {
    return this.request("DELETE", `/faults/${id}`);
  }

  /** Decides what becomes of coming deliveries; resolves to the policy's id. */
  async addPolicy(policy: PolicyInput): Promise<string> {
    return (await this.request<{ id: string }>("POST", "/deliveries/policies", policy)).id;
  }

  /** Lists the policies, with how many deliveries each has been asked about and has struck. */
  policies(): Promise<Policy[]> {
    return this.request("GET", "/deliveries/policies");
  }

  /** Removes one policy. */
  removePolicy(id: string): Promise<void> {
    return this.request("DELETE", `/deliveries/policies/${id}`);
  }

  /** Lists deliveries, oldest first. */
  deliveries(selection: DeliverySelection & { status?: string } = {}): Promise<Delivery[]> {
    return this.request("GET", `/deliveries?${new URLSearchParams({ ...selection })}`);
  }

  /** Waits until no matching delivery is pending; rejects after the timeout (30 s). */
  settle(selection: DeliverySelection & { timeoutMs?: number } = {}): Promise<void> {
    return this.request("POST", "/deliveries/settle", selection);
  }

  /** Sends the held deliveries, one after the other. */
  release(selection: DeliverySelection & { order?: DeliveryOrder } = {}): Promise<Delivery[]> {
    return this.request("POST", "/deliveries/release", selection);
  }

  /** Sends past events again; resolves to how each one was answered. */
  replay(
    selection: DeliverySelection & { times?: number; order?: DeliveryOrder } = {},
  ): Promise<ReplayResult[]> {
    return this.request("POST", "/deliveries/replay", selection);
  }

  /** Makes waiting retries due now; resolves to how many there were. */
  async retry(selection: DeliverySelection = {}): Promise<number> {
    return (await this.request<{ retried: number }>("POST", "/deliveries/retry", selection))
      .retried;
  }

  /** Any other control route, by its path below `/_emulator`. */
  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.#base + path, {
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return text === "" ? undefined as T : JSON.parse(text);
  }
}
