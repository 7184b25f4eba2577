import type { OrganizationInvitation } from "@clerk/backend";
import { pushClerkLimit } from "../_shared/clerk_limit.ts";
import { readPending } from "./clerk_people.ts";
import {
  askClerk,
  CLERK_CODES,
  type Failure,
  isRefusedWith,
  type Reply,
  RETRY_AFTER,
} from "./clerk_reply.ts";
import type { Dependencies } from "./handler.ts";
import {
  type Call,
  callsFor,
  givenBack,
  invite,
  type Outcome,
  type Reserved,
  type Settlement,
  stillHeld,
  type Way,
  wayOf,
} from "./invitation_calls.ts";
import { holdSeats, type Inviter, readOutcomes, recordSettlements } from "./invitation_records.ts";

/** How many calls are made at the same time. */
const CALLS_AT_ONCE = 5;

/** How often a call is made, when it was limited or nobody knows what became of it. */
const TRIES = 3;

/** The longest `Retry-After` that is waited out, in seconds; more is the caller's to wait. */
const PATIENCE = 10;

/** After this many look-ups in a row that found nobody, Clerk is taken to be away. */
const FRUITLESS_LOOK_UPS = 2;

/** How often Clerk is told the limit when it refuses for its quota, and then waited for. */
const LIMIT_PUSHES = 2;
const LIMIT_PAUSE_MS = 1_000;

/** Seats of later rounds are held anew this often, in milliseconds; a hold lasts for half a minute. */
const HOLD_AGAIN_MS = 5_000;

/** No round begins later than this, in milliseconds: a function has 150 s to answer. */
const TIME_LIMIT_MS = 100_000;

/** An invitation that Clerk made this long before the run was somebody else's. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * Invites people whose seats are held, round by round. Each round holds its seats anew, makes a few
 * calls to Clerk at once, and records what came of them. A process that dies at any moment leaves
 * seats that are held for half a minute at the most, and that the next sync settles.
 */
export class InvitationRun {
  readonly #dependencies: Dependencies;
  readonly #inviter: Inviter;
  readonly #people: readonly Reserved[];
  readonly #startedAt = Date.now();
  readonly #outcomes = new Map<string, Outcome>();
  /** When all who are left were held last, in milliseconds. */
  #allHeldAt = 0;
  /** Still to be made. */
  #calls: Call[];
  /** Made, and nobody knows what became of them: to be looked up in Clerk's list. */
  #doubtful: Call[] = [];
  /** When Clerk takes calls again that it has limited, in milliseconds. */
  readonly #closedUntil: Record<Way, number> = { bulk: 0, single: 0 };
  #pausedUntil = 0;
  #limitPush: Promise<unknown> | undefined;
  #fruitlessLookUps = 0;
  #clerkIsAway = false;

  constructor(dependencies: Dependencies, inviter: Inviter, people: readonly Reserved[]) {
    this.#dependencies = dependencies;
    this.#inviter = inviter;
    this.#people = people;
    this.#calls = callsFor(people);
  }

  /**
   * Asks Clerk until everybody's outcome is known or nothing more can be done.
   *
   * @returns the outcomes, by the ids of the reservations.
   * @throws {ApiError} `database_unavailable` (503): the next sync settles what is left.
   */
  async finish(): Promise<ReadonlyMap<string, Outcome>> {
    while (this.#calls.length > 0 || this.#doubtful.length > 0) {
      const isOver = this.#clerkIsAway || Date.now() > this.#startedAt + TIME_LIMIT_MS;
      await this.#settle(isOver ? this.#giveUp() : await this.#round());
    }
    const unseen = this.#people.filter(({ invitationId }) => !this.#outcomes.has(invitationId));
    return new Map([
      ...this.#outcomes,
      ...await readOutcomes(this.#dependencies, this.#inviter, unseen),
    ]);
  }

  async #round(): Promise<Settlement[]> {
    await this.#pause();
    this.#limitPush = undefined;
    const doubtful = this.#doubtful.splice(0);
    const calls = doubtful.length > 0 ? [] : this.#calls.splice(0, CALLS_AT_ONCE);
    const held = await this.#hold([...doubtful, ...calls]);
    const [found, ...invited] = await Promise.all([
      this.#lookUp(stillHeld(doubtful, held)),
      ...stillHeld(calls, held).map((call) => this.#invite(call)),
    ]);
    return [...found, ...invited.flat()];
  }

  /** Holds the seats of these calls, and now and then those of the later ones as well. */
  async #hold(calls: readonly Call[]): Promise<ReadonlySet<string>> {
    const now = Date.now();
    const isForAll = now > this.#allHeldAt + HOLD_AGAIN_MS;
    const people = [...calls, ...isForAll ? this.#calls : []].flatMap((call) => call.people);
    const held = await holdSeats(this.#dependencies, this.#inviter, people);
    if (isForAll) {
      this.#allHeldAt = now;
      this.#calls = stillHeld(this.#calls, held);
    }
    return held;
  }

  async #pause(): Promise<void> {
    const wait = this.#pausedUntil - Date.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }

  async #invite(call: Call): Promise<Settlement[]> {
    const closedFor = Math.ceil((this.#closedUntil[wayOf(call)] - Date.now()) / 1000);
    if (closedFor > 0) return this.#tooMany(call, closedFor);
    const { clerk } = this.#dependencies;
    const reply = await invite(clerk, this.#inviter.session, call);
    switch (reply.kind) {
      case "done":
        return this.#invited(call, reply.answer);
      case "limited":
        return this.#limited(call, reply.retryAfter);
      case "refused":
        return await this.#refused(call, reply);
      case "unknown":
        this.#doubtful.push({ ...call, tries: call.tries + 1, isDoubtful: true });
        return [];
    }
  }

  #invited(call: Call, invitations: readonly OrganizationInvitation[]): Settlement[] {
    this.#fruitlessLookUps = 0;
    const byEmail = new Map(invitations.map((one) => [one.emailAddress.toLowerCase(), one]));
    return call.people.flatMap((person): Settlement[] => {
      const invitation = byEmail.get(person.email);
      if (invitation !== undefined) {
        return [{ person, outcome: { outcome: "invited" }, invitation }];
      }
      this.#doubtful.push({ people: [person], tries: call.tries + 1, isDoubtful: true });
      return [];
    });
  }

  #limited(call: Call, retryAfter: number): Settlement[] {
    if (retryAfter > PATIENCE || call.tries + 1 >= TRIES) {
      this.#closedUntil[wayOf(call)] = Date.now() + retryAfter * 1000;
      return this.#tooMany(call, retryAfter);
    }
    this.#pausedUntil = Math.max(this.#pausedUntil, Date.now() + retryAfter * 1000);
    this.#calls.unshift({ ...call, tries: call.tries + 1 });
    return [];
  }

  #tooMany(call: Call, retryAfter: number): Settlement[] {
    const reason = { code: "too_many_requests", message: "Clerk takes no more invitations now." };
    // An earlier call of theirs may still be worked off: their seats stay held.
    return call.isDoubtful ? [] : givenBack(call, reason, retryAfter);
  }

  async #refused(
    call: Call,
    reply: Extract<Failure, { kind: "refused" }>,
  ): Promise<Settlement[]> {
    const [person, ...others] = call.people;
    if (person === undefined) return [];
    const { limitPushes = 0 } = call;
    if (isRefusedWith(reply, CLERK_CODES.quota) && limitPushes < LIMIT_PUSHES) {
      await this.#pushLimit(limitPushes > 0);
      this.#calls.unshift({ ...call, limitPushes: limitPushes + 1 });
      return [];
    }
    if (others.length > 0) {
      // One refusal for all of them: alone, each is refused for a reason of their own.
      this.#calls.push(...call.people.map((one) => ({ ...call, people: [one] })));
      return [];
    }
    if (isRefusedWith(reply, CLERK_CODES.alreadyMember)) {
      return [{ person, outcome: { outcome: "already_member" }, invitation: null }];
    }
    if (isRefusedWith(reply, ...CLERK_CODES.alreadyInvited)) {
      // By somebody else, or by ourselves in a call whose answer got lost.
      this.#doubtful.push({ ...call, tries: TRIES, isDoubtful: true });
      return [];
    }
    // As in #tooMany().
    return call.isDoubtful ? [] : givenBack(call, reply.reason);
  }

  /** Seats that have just been bought may not have reached Clerk. One push a round is enough. */
  async #pushLimit(isAgain: boolean): Promise<void> {
    const { organizationId } = this.#inviter;
    this.#limitPush ??= askClerk(pushClerkLimit(this.#dependencies, organizationId));
    await this.#limitPush;
    // Another push is under way, perhaps, which sees to it.
    if (isAgain) this.#pausedUntil = Math.max(this.#pausedUntil, Date.now() + LIMIT_PAUSE_MS);
  }

  async #lookUp(calls: readonly Call[]): Promise<Settlement[]> {
    if (calls.length === 0) return [];
    const { clerkOrgId } = this.#inviter.session;
    const pending = await readPending(this.#dependencies.clerk, clerkOrgId);
    if (pending.kind !== "done") {
      this.#clerkIsAway = true;
      return [];
    }
    const settlements = calls.flatMap((call) => this.#found(call, pending));
    this.#fruitlessLookUps = settlements.length > 0 ? 0 : this.#fruitlessLookUps + 1;
    this.#clerkIsAway = this.#fruitlessLookUps >= FRUITLESS_LOOK_UPS;
    return settlements;
  }

  #found(
    call: Call,
    pending: Extract<Reply<ReadonlyMap<string, OrganizationInvitation>>, { kind: "done" }>,
  ): Settlement[] {
    return call.people.flatMap((person): Settlement[] => {
      const invitation = pending.answer.get(person.email);
      if (invitation === undefined) {
        // Asking again does no harm: Clerk has nobody invited twice.
        if (call.tries < TRIES) this.#calls.push({ ...call, people: [person] });
        return [];
      }
      const isOurs = invitation.createdAt >= this.#startedAt - CLOCK_TOLERANCE_MS;
      return [{ person, outcome: { outcome: isOurs ? "invited" : "already_invited" }, invitation }];
    });
  }

  /** Gives back the seats of those whom Clerk surely did not invite. */
  #giveUp(): Settlement[] {
    this.#doubtful = [];
    const reason = { code: "clerk_unavailable", message: "Clerk could not be asked in time." };
    return this.#calls.splice(0).filter(({ isDoubtful }) => !isDoubtful)
      .flatMap((call) => givenBack(call, reason, RETRY_AFTER));
  }

  async #settle(settlements: readonly Settlement[]): Promise<void> {
    if (settlements.length === 0) return;
    const outcomes = await recordSettlements(this.#dependencies, this.#inviter, settlements);
    for (const [id, outcome] of outcomes) this.#outcomes.set(id, outcome);
  }
}
