import type { EmulatorControl } from "./control.ts";
import type { FaultInput } from "./faults.ts";

/** Longer than any test or demo takes: for a delay that ends when its fault is removed. */
export const HOLDUP_MS = 60_000;

/** How long a request that is waited for may take to come. */
const PATIENCE_MS = 20_000;

/** A fault that has been added to an emulator. */
export interface AddedFault {
  /** How many requests it has struck. */
  hits(): Promise<number>;
  /** Waits until it has struck that many requests; rejects when they don't come. */
  struck(times: number): Promise<void>;
  remove(): Promise<void>;
}

/** Makes an emulator misbehave. */
export async function addFault(control: EmulatorControl, fault: FaultInput): Promise<AddedFault> {
  const id = await control.addFault(fault);
  const hits = async () => (await control.faults()).find((one) => one.id === id)?.hits ?? 0;
  return {
    hits,
    async struck(times) {
      const deadline = Date.now() + PATIENCE_MS;
      // The emulator does not announce it; each question is a round trip, so this is no busy wait.
      while (await hits() < times) {
        if (Date.now() > deadline) throw new Error(`No ${times} requests came for ${id}`);
      }
    },
    remove: () => control.removeFault(id),
  };
}
