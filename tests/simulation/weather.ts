import fc from "fast-check";
import type { EmulatorControl } from "../../local/emulation/control.ts";
import type { FaultInput } from "../../local/emulation/faults.ts";
import { addFault, HOLDUP_MS } from "../functions/requests.ts";
import type { World } from "./world.ts";

type Provider = "clerk" | "stripe";

/** What goes wrong while a step is taken. */
export type Weather =
  | { readonly kind: "calm" }
  /** What becomes of the webhooks that the step causes; held ones come later, in another order. */
  | { readonly kind: "lose" | "hold" | "repeat"; readonly provider: Provider }
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

const provider = fc.constantFrom<Provider>("clerk", "stripe");
const after = fc.nat(4);

/** All kinds of weather, most of it calm. */
export const weathers: fc.Arbitrary<Weather> = fc.oneof(
  { weight: 10, arbitrary: fc.constant<Weather>({ kind: "calm" }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("lose" as const, "hold" as const, "repeat" as const),
      provider,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("lose_answer" as const, "drop" as const, "fail" as const),
      provider,
      after,
      times: fc.constantFrom(1, 3),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("crash" as const),
      function: fc.constantFrom(...FUNCTIONS),
      provider,
      after,
      isDone: fc.boolean(),
    }),
  },
);

/** What weather leaves behind. */
export interface Aftermath {
  /** Whether it was such that a command may not have been answered as it should. */
  readonly wasRough: boolean;
  /** Webhooks that were lost, or may have been, together with what follows them. */
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
  try {
    const result = await happen();
    // Webhooks that have to go through the weather as well.
    await settle(world);
    await end();
    await settle(world);
    const { kind } = weather;
    const wasRough = ["lose_answer", "drop", "fail", "crash"].includes(kind);
    return [result, { wasRough, lost: wasRough || kind === "lose", held: kind === "hold" }];
  } catch (error) {
    await end();
    throw error;
  }
}

function controlOf({ clients }: World, name: Provider): EmulatorControl {
  return name === "clerk" ? clients.clerk.control : clients.stripeControl;
}

async function settle({ clients }: World): Promise<void> {
  await Promise.all([clients.clerk.control.settle(), clients.stripeControl.settle()]);
}

const POLICIES = { lose: "drop", hold: "hold", repeat: "duplicate" } as const;

/** Begins a spell of weather; resolves to what ends it. */
async function begin(world: World, weather: Weather): Promise<() => Promise<void>> {
  if (weather.kind === "calm") return () => Promise.resolve();
  const control = controlOf(world, weather.provider);
  if (!("after" in weather)) {
    const id = await control.addPolicy({ kind: POLICIES[weather.kind], times: 0, copies: 2 });
    return () => control.removePolicy(id);
  }
  const match = { path: "^/v1/" };
  const undisturbed = weather.after === 0
    ? null
    : await addFault(control, { match, kind: "delay", times: weather.after });
  const fault = weather.kind === "crash"
    ? await beginCrash(world, control, match, weather)
    : await addFault(control, {
      match,
      kind: weather.kind,
      times: weather.times,
      // Stripe keeps a 500 under the idempotency key; this one it would not keep.
      status: 503,
    });
  return async () => {
    await undisturbed?.remove();
    await fault.remove();
  };
}

/** Kills a function as soon as a request, whosever it is, waits at the provider. */
async function beginCrash(
  { crash }: World,
  control: EmulatorControl,
  match: FaultInput["match"],
  weather: Weather & { kind: "crash" },
): Promise<{ remove(): Promise<void> }> {
  const held = await addFault(control, {
    match,
    kind: weather.isDone ? "delay" : "drop",
    delayMs: HOLDUP_MS,
  });
  let isOver = false;
  const killing = (async () => {
    while (!isOver && await held.hits() === 0);
    if (!isOver) await crash(weather.function);
    await held.remove();
  })();
  return {
    remove: async () => {
      isOver = true;
      await killing;
    },
  };
}
