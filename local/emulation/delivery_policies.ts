import { createHash } from "node:crypto";
import { z } from "zod";
import { type Delivery, matchesDelivery } from "./delivery_records.ts";

const policyInput = z.strictObject({
  /** Text that the event id, the URL or the payload must contain. */
  contains: z.string().optional(),
  type: z.string().optional(),
  kind: z.enum(["drop", "duplicate", "hold", "delay"]),
  /** How many deliveries it applies to; 0 means until it is removed. */
  times: z.int().min(0).default(1),
  /** Which part of those that match it applies to, chosen at random. */
  share: z.number().min(0).max(1).default(1),
  /** The same seed chooses the same again: the first that match, say, and the fifth. */
  seed: z.int().default(0),
  delayMs: z.number().min(0).default(0),
  /** How many more of the same `duplicate` sends. */
  copies: z.int().min(1).default(1),
});

/** What `POST /_emulator/deliveries/policies` takes. */
export type PolicyInput = z.input<typeof policyInput>;

/** A policy as the control routes list it: how many deliveries it was asked about, and applied to. */
export type Policy = z.output<typeof policyInput> & { id: string; asked: number; hits: number };

/** What the policies make of a new delivery. */
export interface PolicyVerdict {
  state: "pending" | "dropped" | "held";
  delayMs: number;
  copies: number;
}

/**
 * The policies in force, in memory only: a restart clears them. Every policy that matches a new
 * delivery applies, so "duplicate" and "hold" together keep two of it; "drop" outdoes the others.
 */
export class DeliveryPolicies {
  readonly #policies = new Map<string, Policy>();

  /** Adds a policy. Throws a `ZodError` for wrong input. */
  add(input: PolicyInput): Policy {
    const id = `policy_${crypto.randomUUID()}`;
    const policy = { ...policyInput.parse(input), id, asked: 0, hits: 0 };
    this.#policies.set(policy.id, policy);
    return policy;
  }

  /** All policies, the used-up ones too. */
  list(): Policy[] {
    return [...this.#policies.values()];
  }

  /** Removes one; says whether it was there. */
  remove(id: string): boolean {
    return this.#policies.delete(id);
  }

  /** Removes all. */
  clear(): void {
    this.#policies.clear();
  }

  /** Decides about a new delivery and counts the policies that had a say. */
  judge(delivery: Delivery): PolicyVerdict {
    const verdict: PolicyVerdict = { state: "pending", delayMs: 0, copies: 0 };
    for (const policy of this.#policies.values()) {
      if (policy.times !== 0 && policy.hits >= policy.times) continue;
      if (!matchesDelivery(delivery, { contains: policy.contains, type: policy.type })) continue;
      policy.asked += 1;
      if (!isChosen(policy)) continue;
      policy.hits += 1;
      if (policy.kind === "drop") verdict.state = "dropped";
      if (policy.kind === "hold" && verdict.state === "pending") verdict.state = "held";
      if (policy.kind === "delay") verdict.delayMs += policy.delayMs;
      if (policy.kind === "duplicate") verdict.copies += policy.copies;
    }
    return verdict;
  }
}

function isChosen({ share, seed, asked }: Policy): boolean {
  const random = createHash("sha256").update(`${seed} ${asked}`).digest().readUInt32BE();
  return random < share * 2 ** 32;
}
