import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type fc from "fast-check";
import type { Answer } from "../functions/api.ts";
import { assertInvariants } from "./invariants.ts";
import type { State } from "./model.ts";
import { expectedInside, expectedOutside, readInside, readOutside } from "./views.ts";
import { inWeather, isRough, type Weather } from "./weather.ts";
import { limitTold, type World } from "./world.ts";

/** The model of one history: how the organization stands, and what Postgres has heard of it. */
export interface Model {
  state: State;
  /** Something was lost: only a sweep can find it. */
  lost: boolean;
  /** Something is held up, and will come. */
  held: boolean;
}

/** What came of a deed. */
export interface Outcome {
  /** Whether it was answered as the model would have, had Postgres heard of everything. */
  readonly asDesigned: boolean;
  /** How the organization can stand now. */
  readonly possible: readonly State[];
  readonly answer: string;
  /** What of all that had happened before Postgres knows now. */
  readonly hears?: "held" | "all";
}

/** Something that somebody does. */
export interface Deed {
  readonly name: string;
  /** Whether there is any sense in it. */
  makesSense(state: State, model: Readonly<Model>): boolean;
  /** Gets ready, undisturbed; resolves to what does it. */
  prepare(world: World, model: Model): Promise<() => Promise<Outcome>>;
  /** Not through a function: rough weather would strike whoever does it, and not ours. */
  readonly isFact?: boolean;
  /** No webhook tells of it: a sweep has to find it. */
  readonly isSilent?: boolean;
}

/** A deed in its weather, as a command of fast-check's. */
export class Step implements fc.AsyncCommand<Model, World> {
  constructor(private readonly deed: Deed, private readonly weather: Weather) {}

  check(model: Readonly<Model>): boolean {
    return this.deed.makesSense(model.state, model);
  }

  async run(model: Model, world: World): Promise<void> {
    const { deed, weather } = this;
    world.theatre.played.steps++;
    const hadHeard = !model.lost && !model.held;
    const act = await deed.prepare(world, model);
    const [outcome, aftermath] = await inWeather(world, this.#weather(), act);
    if (hadHeard && !aftermath.wasRough) {
      assert(outcome.asDesigned, `${this}: the answer was ${outcome.answer}`);
    }
    model.state = await find(world, outcome, `${this}`);
    if (outcome.hears !== undefined) model.held = false;
    if (outcome.hears === "all") model.lost = false;
    model.lost ||= aftermath.lost || deed.isSilent === true;
    model.held ||= aftermath.held;
    await assertInvariants(world.clients.sql, world.organization);
    if (!model.lost && !model.held) await assertHeard(world, model, weather);
  }

  toString(): string {
    const { kind, ...details } = this.#weather();
    const told = [kind, ...Object.values(details)].filter((one) => one !== undefined).join(" ");
    return kind === "calm" ? this.deed.name : `${this.deed.name} [${told}]`;
  }

  #weather(): Weather {
    return this.deed.isFact === true && isRough(this.weather) ? { kind: "calm" } : this.weather;
  }
}

/** Finds which of the possible states Stripe and Clerk show; fails where it is none of them. */
async function find(world: World, { possible, answer }: Outcome, what: string): Promise<State> {
  const outside = await readOutside(world);
  const found = possible.find((state) => isDeepStrictEqual(expectedOutside(state), outside));
  if (found !== undefined) return found;
  const [first] = possible;
  assert(first !== undefined);
  assert.deepEqual(outside, expectedOutside(first), `${what}: Stripe or Clerk, after ${answer}`);
  throw new Error("Equal after all");
}

/** Fails unless Postgres, which has heard of everything, agrees with the model. */
async function assertHeard(world: World, { state }: Model, weather: Weather): Promise<void> {
  if (weather.kind === "calm") await limitTold(world);
  assert.deepEqual(await readInside(world), expectedInside(state), "Postgres");
}

/** How a function answered: done, refused, or nobody knows what it has done. */
export type Said = "done" | "refused" | "unknown";

/** Waits for an answer; one that does not come is unknown. */
export async function said<Body>(
  call: Promise<Answer<Body>>,
): Promise<{ said: Said; body: Body | null; text: string }> {
  try {
    const { status, body } = await call;
    const text = `${status} ${JSON.stringify(body)}`;
    if (status >= 500) return { said: "unknown", body: null, text };
    return { said: status < 300 ? "done" : "refused", body, text };
  } catch (error) {
    return { said: "unknown", body: null, text: String(error) };
  }
}

/**
 * The outcome of a command that is done as a whole or not at all.
 *
 * @param allowed whether the model would have done it.
 * @param after what follows when it is done; of several, which of them is to be found out.
 */
export function wholeOutcome(
  before: State,
  { said, text }: { said: Said; text: string },
  allowed: boolean,
  ...after: readonly State[]
): Outcome {
  const possible = said === "done" ? after : said === "refused" ? [before] : [before, ...after];
  return { asDesigned: said === (allowed ? "done" : "refused"), possible, answer: text };
}

/** The outcome of a fact: nobody refuses it. */
export function factOutcome(...possible: readonly State[]): Outcome {
  return { asDesigned: true, possible, answer: "a fact" };
}
