import assert from "node:assert/strict";
import fc from "fast-check";
import * as billing from "./billing_deeds.ts";
import { buy, type Payment, PAYMENTS, terms } from "./checkout_deeds.ts";
import * as clerk from "./clerk_deeds.ts";
import { assertInvariants } from "./invariants.ts";
import * as joining from "./joining_deeds.ts";
import { founded, type Role } from "./model.ts";
import * as paying from "./paying_deeds.ts";
import * as people from "./people_deeds.ts";
import { type Deed, type Model, Step } from "./step.ts";
import * as system from "./system_deeds.ts";
import { expectedInside, readInside } from "./views.ts";
import { type Provider, type Weather, weathers } from "./weather.ts";
import {
  closeWorld,
  deliveries,
  limitTold,
  openWorld,
  passGrace,
  passTime,
  sweep,
  type Theatre,
  type World,
} from "./world.ts";

const n = fc.nat(9);
const role = fc.constantFrom<Role>("member", "auditor");
const order = fc.constantFrom("fifo" as const, "lifo" as const);

const edits = fc.uniqueArray(fc.integer({ min: 2, max: 14 }), { minLength: 1, maxLength: 4 })
  .map(billing.edit);

/** What is paid for, and how often somebody does it. */
const billingDeeds: readonly [number, fc.Arbitrary<Deed>][] = [
  [
    20,
    fc.tuple(terms, fc.constantFrom("card", "card", ...PAYMENTS)).map(([wish, payment]) =>
      buy(wish, payment)
    ),
  ],
  [12, fc.constantFrom("succeeded" as const, "failed" as const).map(paying.settleDebit)],
  [4, terms.map(billing.change)],
  [8, fc.constantFrom(-3, -2, -1, 1, 2, 3).map(billing.change)],
  [2, fc.constant(billing.undo())],
  [2, fc.constantFrom("pays" as const, "declines" as const, "asks" as const).map(paying.replace)],
  [3, fc.constantFrom("at once" as const, "approve" as const, "refuse" as const).map(paying.pay)],
  [1, fc.constant(paying.expirePayment())],
  [4, fc.constantFrom("card" as const, "declined" as const).map(billing.renew)],
  [2, fc.constantFrom("canceled" as const, "unpaid" as const).map(paying.giveUp)],
  [10, fc.constant(paying.endGrace())],
  [1, fc.boolean().map(billing.cancel)],
  [2, fc.constant(billing.end())],
  [6, edits],
];

/** Who is in, and who is on the way in. */
const peopleDeeds: readonly [number, fc.Arbitrary<Deed>][] = [
  [
    7,
    fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom(0, 0, 0, 1, 2))
      .map(([members, auditors]) => people.invite(members, auditors)),
  ],
  [1, fc.constant(people.invite(0, 1))],
  [
    8,
    fc.tuple(
      n,
      role,
      fc.constantFrom("by an admin" as const, "by an admin" as const, "in Clerk" as const),
    )
      .map(([at, role, how]) => people.changeRole(at, role, how)),
  ],
  [
    10,
    fc.tuple(fc.integer({ min: 2, max: 5 }), fc.constantFrom(0, 3, 8, 8))
      .map(([tooMany, invitations]) => joining.rush(tooMany, invitations)),
  ],
  [8, n.map(people.accept)],
  [1, n.map(people.expire)],
  [
    3,
    fc.tuple(n, fc.constantFrom("revoke" as const, "resend" as const, "in Clerk" as const))
      .map(([at, how]) => people.endInvitation(at, how)),
  ],
  [2, fc.constant(joining.ask())],
  [3, fc.tuple(n, fc.boolean()).map(([at, approved]) => joining.decide(at, approved))],
  [
    5,
    fc.tuple(n, fc.constantFrom("leaves" as const, "is removed" as const))
      .map(([at, how]) => people.leave(at, how)),
  ],
  [
    2,
    fc.tuple(
      fc.constantFrom("member" as const, "invitation" as const),
      role,
    ).map(([how, role]) => clerk.addInClerk(how, role)),
  ],
  [3, fc.constantFrom("member" as const, "invitation" as const).map(clerk.visit)],
  [0.2, fc.constant(clerk.remove())],
];

const systemDeeds: readonly [number, fc.Arbitrary<Deed>][] = [
  [5, fc.constant(system.sweeping())],
  [20, fc.constant(system.sweeping("where something was lost"))],
  [12, order.map(system.release)],
  [3, order.map(system.replay)],
];

/** Webhooks of which the first to have happened comes last, or late, or never. */
const disturbed = (
  kind: "reverse" | "hold" | "lose",
  provider: Provider,
  type?: string,
): Weather => ({
  kind,
  provider,
  type,
});
const calm: Weather = { kind: "calm" };
const lateMember = disturbed("hold", "clerk", "organizationMembership.created");
const lateAcceptance = disturbed("hold", "clerk", "organizationInvitation.accepted");
const reversed = disturbed("reverse", "stripe");
const late = disturbed("hold", "stripe");
const unheard = disturbed("lose", "stripe");

const step: fc.Arbitrary<Step> = fc.oneof(
  // What is rare otherwise, and what tombstones, holds, watermarks and sweeps are for.
  rarity(60, n.map(people.accept), lateMember, lateMember, lateAcceptance),
  rarity(10, fc.constant(clerk.addInClerk("member")), lateMember),
  rarity(30, fc.constant(clerk.addInClerk("member", "auditor")), calm),
  rarity(50, n.map((at) => people.changeRole(at, "member", "by an admin")), calm),
  rarity(20, fc.constant(clerk.visit("member")), lateMember, disturbed("reverse", "clerk")),
  rarity(20, n.map((at) => people.leave(at, "leaves")), disturbed("lose", "clerk")),
  rarity(15, fc.constantFrom(-3, -2, -1).map(billing.change), calm),
  rarity(100, edits, reversed, reversed, calm, late, unheard),
  rarity(15, fc.constant(billing.renew()), unheard),
  rarity(25, fc.constant(billing.renew("declined")), calm),
  rarity(60, fc.constant(joining.rush(2, 8, "while a payment is overdue")), calm),
  rarity(60, fc.constant(joining.rush(2, 8, "after a decrease")), calm),
  ...stepsOf(billingDeeds, "stripe"),
  ...stepsOf(peopleDeeds, "clerk"),
  ...stepsOf(systemDeeds, "stripe"),
);

/** A deed in one of these weathers, with a weight. */
function rarity(weight: number, deed: fc.Arbitrary<Deed>, ...weather: readonly Weather[]) {
  const arbitrary = fc.tuple(deed, fc.constantFrom(...weather));
  return { weight, arbitrary: arbitrary.map(([deed, weather]) => new Step(deed, weather)) };
}

/** Deeds in weather that mostly comes from the provider which they have to do with. */
function stepsOf(deeds: readonly [number, fc.Arbitrary<Deed>][], near: Provider) {
  return deeds.map(([weight, deed]) => ({
    weight: weight * 5,
    arbitrary: fc.tuple(deed, weathers(near)).map(([deed, weather]) => new Step(deed, weather)),
  }));
}

/** How many steps a history has at the most; about half of them make sense when they come. */
const LENGTH = 100;

/** Random histories, for a replay by the path of one. */
export function histories(
  replayPath?: string,
): fc.Arbitrary<Iterable<fc.AsyncCommand<Model, World>>> {
  return fc.commands<Model, World, false>([step], {
    maxCommands: LENGTH,
    size: "max",
    ...(replayPath === undefined ? {} : { replayPath }),
  });
}

/**
 * How a history begins, mostly with a purchase, how long an overdue payment keeps nobody out in it,
 * and whether in the end what is held up comes.
 */
export const frames = fc.record({
  bought: fc.option(terms, { freq: 10 }),
  by: fc.constantFrom<Payment>("card", "card", "card", "card", "3-D Secure", "debit"),
  grace: fc.constantFrom("lasts" as const, "is over" as const),
  ending: fc.constantFrom("it comes" as const, "it is lost" as const),
}, { noNullPrototype: true });

/** How a history begins and ends. */
export type Frame = typeof frames extends fc.Arbitrary<infer Value> ? Value : never;

/** Plays one history to its end. Rejects as soon as something is not as it has to be. */
export async function play(
  theatre: Theatre,
  { bought, by, grace, ending }: Frame,
  steps: Iterable<fc.AsyncCommand<Model, World>>,
): Promise<void> {
  const world = await openWorld(theatre);
  try {
    const model: Model = { state: founded(world.owner), lost: false, held: false };
    if (grace === "is over") {
      await passGrace(world);
      model.state = { ...model.state, isGraceOver: true };
    }
    if (bought !== null) {
      await new Step(buy(bought, by), calm).run(model, world);
    }
    await fc.asyncModelRun(() => ({ model, real: world }), steps);
    await finish(world, model, ending);
  } finally {
    await closeWorld(world);
  }
}

/** One sweep, and Stripe, Clerk and Postgres agree with the model; a second one finds nothing. */
async function finish(world: World, { state }: Model, ending: string): Promise<void> {
  const { clients } = world;
  if (ending === "it comes") {
    await clients.clerk.control.release({ order: "lifo" });
    await clients.stripeControl.release({ order: "lifo" });
  }
  await deliveries(clients);
  await passTime(world);
  let first = await sweep(world);
  // It passes over an organization that somebody else is writing, says so, and is woken again.
  for (let tries = 0; first?.more && tries < 3; tries++) first = await sweep(world);
  assert.equal(first?.failed, 0, `The sweep: ${JSON.stringify(first)}`);
  await limitTold(world);
  assert.deepEqual(await readInside(world), expectedInside(state), "Postgres, after the sweep");
  await assertInvariants(world.clients.sql, world.organization);
  await passTime(world);
  assert.deepEqual((await sweep(world))?.drift, {}, "A second sweep");
}
