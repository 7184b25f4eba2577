import type { ClerkState } from "./state.ts";
import type { Signer } from "./tokens.ts";
import type { EventCause, OrganizationEvent } from "./webhooks.ts";

/**
 * What every resource works on. The functions that check and then write never wait in between, so
 * no two requests can take the same last place.
 */
export interface ClerkInstance {
  readonly state: ClerkState;
  /** Where the emulator listens. */
  readonly url: string;
  readonly signer: Signer;
  /** To be called after every change to the state. */
  changed(): void;
  /** Sends an event to every webhook endpoint, after the current request. */
  emit(event: OrganizationEvent, cause: EventCause): void;
}
