import fc from "fast-check";
import type { EmulatorControl } from "../../local/emulation/control.ts";
import type { Policy } from "../../local/emulation/delivery_policies.ts";
import type { FaultInput } from "../../local/emulation/faults.ts";
import { addFault, HOLDUP_MS } from "../functions/requests.ts";
import { deliveries, type World } from "./world.ts";

/** Who sends webhooks, and is asked. */
export type Provider = "clerk" | "stripe";

/** What goes wrong while a step is taken. */
export type Weather =
  | { readonly kind: "calm" }
  /** What becomes of the webhooks that the step causes; held ones come in a later step. */
  | {
    readonly kind: "lose" | "hold" | "repeat" | "reverse";
    readonly provider: Provider;
    /** Only those of this type; all of them where it is undefined. */
    readonly type: string | undefined;
  }
  /** What becomes of the requests that functions send. */
  | {
    readonly kind: "lose_answer" | "drop" | "fail";
    readonly provider: Provider;
    readonly after: number;
    readonly times: number;
  }
  /** The function dies while its request is at the provider, which works on or never gets it. */
  | {
    readonly kind: "crash";
    readonly function: string;
    readonly provider: Provider;
    readonly after: number;
    readonly isDone: boolean;
  };

const FUNCTIONS = [
  "create-seat-checkout-session",
  "manage-seats",
  "manage-members",
  "stripe-webhook",
  "clerk-webhook",
  "sync-seats",
];

const TYPES = {
  clerk: ["organizationMembership.created", "organizationInvitation.accepted"],
  stripe: ["customer.subscription.updated", "invoice.paid", "checkout.session.completed"],
};

const POLICIES = { lose: "drop", hold: "hold", repeat: "duplicate", reverse: "hold" } as const;

const after = fc.nat(4);

/** All kinds of weather, most of it where a deed has to do with. */
export function weathers(near: Provider): fc.Arbitrary<Weather> {
  const provider = fc.constantFrom<Provider>(near, near, near, "clerk", "stripe");
  const calm = fc.constant<Weather>({ kind: "calm" });
  const webhooks = provider.chain((provider) =>
    fc.record({
      kind: fc.constantFrom<keyof typeof POLICIES>("lose", "hold", "hold", "repeat", "reverse"),
      provider: fc.constant(provider),
      type: fc.option(fc.constantFrom(...TYPES[provider]), { nil: undefined, freq: 1 }),
    })
  );
  const rough = fc.record({
    kind: fc.constantFrom("lose_answer" as const, "drop" as const, "fail" as const),
    provider,
    after,
    times: fc.constantFrom(1, 3),
  });
  const crash = fc.record({
    kind: fc.constant("crash" as const),
    function: fc.constantFrom(...FUNCTIONS),
    provider,
    after,
    isDone: fc.boolean(),
  });
  return fc.oneof(
    { weight: 12, arbitrary: calm },
    { weight: 8, arbitrary: webhooks },
    { weight: 2, arbitrary: rough },
    { weight: 1, arbitrary: crash },
  );
}

/** What weather leaves behind. */
export interface Aftermath {
  /** Whether a command may not have been answered as it should. */
  readonly wasRough: boolean;
  /** Webhooks were lost, or what would have come of them. */
  readonly lost: boolean;
  readonly held: boolean;
}

/** Has something happen in this weather, and waits until no webhook is on its way any more. */
export async function inWeather<Result>(
  world: World,
  weather: Weather,
  happen: () => Promise<Result>,
): Promise<[Result, Aftermath]> {
  const end = await begin(world, weather);
  let hasStruck = false;
  let result: Result;
  try {
    result = await happen();
    // The webhooks go through the weather as well.
    await deliveries(world.clients);
  } finally {
    hasStruck = await end();
  }
  await deliveries(world.clients);
  const wasRough = hasStruck && isRough(weather);
  const lost = wasRough || hasStruck && weather.kind === "lose";
  return [result, { wasRough, lost, held: hasStruck && weather.kind === "hold" }];
}

/** Whether weather strikes requests, and not webhooks. */
export function isRough({ kind }: Weather): boolean {
  return kind === "lose_answer" || kind === "drop" || kind === "fail" || kind === "crash";
}

/** Ends a spell of weather; resolves to whether it has struck anything. */
type End = () => Promise<boolean>;

/** Begins a spell of weather. */
async function begin({ clients, crash }: World, weather: Weather): Promise<End> {
  if (weather.kind === "calm") return () => Promise.resolve(false);
  const control = weather.provider === "clerk" ? clients.clerk.control : clients.stripeControl;
  if (!("after" in weather)) return await beginPolicy(control, weather);
  const { after, kind } = weather;
  const match = { path: "^/v1/" };
  const undisturbed = after === 0
    ? null
    : await addFault(control, { match, kind: "delay", times: after });
  const end = kind === "crash"
    ? await beginCrash(control, weather, () => crash(weather.function))
    // Stripe would keep a 500 under the idempotency key. To be tried again at once is what a sweep
    // would otherwise wait five seconds for.
    : await beginFault(control, {
      match,
      kind,
      times: weather.times,
      status: 503,
      headers: { "retry-after": "0" },
    });
  return async () => {
    const hasStruck = await end();
    await undisturbed?.remove();
    return hasStruck;
  };
}

async function beginPolicy(
  control: EmulatorControl,
  { kind, type }: Weather & { kind: keyof typeof POLICIES },
): Promise<End> {
  const policy = { kind: POLICIES[kind], times: 0, copies: 2 };
  const id = await control.addPolicy(type === undefined ? policy : { ...policy, type });
  return async () => {
    const policies = await control.request<Policy[]>("GET", "/deliveries/policies");
    await control.removePolicy(id);
    if (kind === "reverse") await control.release({ order: "lifo" });
    return policies.some((one) => one.id === id && one.hits > 0);
  };
}

async function beginFault(control: EmulatorControl, input: FaultInput): Promise<End> {
  const fault = await addFault(control, input);
  return async () => {
    const hits = await fault.hits();
    await fault.remove();
    return hits > 0;
  };
}

/** Kills a function as soon as a request, whosever it is, waits at the provider. */
async function beginCrash(
  control: EmulatorControl,
  { isDone }: Weather & { kind: "crash" },
  crash: () => Promise<void>,
): Promise<End> {
  const match = { path: "^/v1/" };
  const kind = isDone ? "delay" : "drop";
  const held = await addFault(control, { match, kind, delayMs: HOLDUP_MS });
  let isOver = false;
  const killing = (async () => {
    // The emulator does not announce it; each question is a round trip, so this is no busy wait.
    while (!isOver && await held.hits() === 0);
    const hasStruck = await held.hits() > 0;
    if (hasStruck) await crash();
    await held.remove();
    return hasStruck;
  })();
  return () => {
    isOver = true;
    return killing;
  };
}
