import { type AddedFault, addFault } from "../../local/emulation/added_fault.ts";
import type { EmulatorControl } from "../../local/emulation/control.ts";
import type { FaultInput } from "../../local/emulation/faults.ts";

export { type AddedFault, addFault, HOLDUP_MS } from "../../local/emulation/added_fault.ts";

/** What may become of a request, in words and as a fault. */
export const OUTAGES = [
  ["loses its answer", { kind: "lose_answer" }],
  ["drops the connection", { kind: "drop" }],
  ["fails", { kind: "fail", status: 500 }],
] as const;

/**
 * Counts the requests that an emulator gets from now on, by a fault that does nothing. It takes the
 * place of faults that are added later.
 */
export function countRequests(
  control: EmulatorControl,
  match: FaultInput["match"],
): Promise<AddedFault> {
  return addFault(control, { match, kind: "delay", delayMs: 0, times: 0 });
}
