import * as z from "zod";
import { answerOf } from "../_shared/database.ts";
import type { Connections } from "./connections.ts";
import { type Lease, LEASE_SECONDS, leaseSchema } from "./reconcile.ts";

/** How many organizations are leased in one round trip: a few seconds of work. */
const BATCH = 25;

/** Hands out the organizations of one sweep, each once, to all of its workers. */
export class Queue {
  readonly #database: Connections["database"];
  readonly #before: string;
  readonly #leases: Lease[] = [];
  #left: number;
  #claiming: Promise<void> | undefined;

  /**
   * @param startedAt when the sweep began: what was tried since is not handed out.
   * @param limit how many at the most.
   */
  constructor({ database }: Pick<Connections, "database">, startedAt: Date, limit: number) {
    this.#database = database;
    this.#before = startedAt.toISOString();
    this.#left = limit;
  }

  /**
   * The next organization, leased, or null when there is none.
   *
   * @throws {ApiError} what the database raises.
   */
  async take(): Promise<Lease | null> {
    while (this.#leases.length === 0 && this.#left > 0) {
      this.#claiming ??= this.#claim().finally(() => this.#claiming = undefined);
      await this.#claiming;
    }
    return this.#leases.shift() ?? null;
  }

  /** Gives back what has been leased and not been taken: the next sweep begins with it. */
  async close(): Promise<void> {
    const leases = this.#leases.splice(0).map(({ lease_id }) => lease_id);
    this.#left = 0;
    if (leases.length === 0) return;
    await answerOf(this.#database.rpc("return_leases", { p_lease_ids: leases }));
  }

  async #claim(): Promise<void> {
    const wanted = Math.min(BATCH, this.#left);
    const leases = z.array(leaseSchema).parse(
      await answerOf(this.#database.rpc("claim_sync_batch", {
        p_limit: wanted,
        p_lease_seconds: LEASE_SECONDS,
        p_before: this.#before,
      })),
    );
    this.#left = leases.length < wanted ? 0 : this.#left - wanted;
    this.#leases.push(...leases);
  }
}
