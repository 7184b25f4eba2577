import type { ClerkClient } from "@clerk/backend";
import type Stripe from "stripe";
import type { ServiceClient } from "../_shared/database.ts";
import type { Pace } from "./pace.ts";

/** What agreement is reached with, and how fast each provider may be asked. */
export interface Connections {
  readonly database: ServiceClient;
  readonly stripe: Stripe;
  readonly stripePace: Pace;
  readonly clerk: ClerkClient;
  readonly clerkPace: Pace;
}
