import { Hono, type MiddlewareHandler } from "hono";
import { Deliveries } from "../emulation/deliveries.ts";
import { deliveryRoutes } from "../emulation/delivery_routes.ts";
import { Faults } from "../emulation/faults.ts";
import { listen } from "../emulation/listener.ts";
import { StateFile } from "../emulation/state.ts";
import { controlRoutes } from "./control.ts";
import { badAuthorizationHeader, badSecretKey, errorResponse, notFound } from "./errors.ts";
import type { ClerkInstance } from "./instance.ts";
import { invitationRoutes } from "./invitations.ts";
import { membershipRoutes } from "./memberships.ts";
import { organizationRoutes } from "./organizations.ts";
import { RateLimits } from "./rate_limits.ts";
import { sessionRoutes } from "./sessions.ts";
import { emptyState } from "./state.ts";
import { createSigner, newSigningKey } from "./tokens.ts";
import { userRoutes } from "./users.ts";
import { enqueueEvent, signDelivery } from "./webhooks.ts";

/** How to start an emulated Clerk instance. */
export interface ClerkEmulatorOptions {
  /** The port to prefer; any free one otherwise. */
  port?: number;
  /** The file that keeps everything between runs; null keeps it in memory. */
  statePath: string | null;
  /** The key that every API request must carry. */
  secretKey: string;
  /** The instance's other key, which `GET /_emulator/instance` hands on. */
  publishableKey: string;
  /** The delay before each webhook attempt; a short schedule by default. */
  retryScheduleMs?: readonly number[];
}

/** A running emulator. */
export interface ClerkEmulator {
  /** The `apiUrl` of `createClerkClient`. */
  url: string;
  /** PEM public key (SPKI): the `jwtKey` of `verifyToken`. */
  jwtKey: string;
  /** The `iss` of its tokens. */
  issuer: string;
  jwksUrl: string;
  /** Stops it and saves its state. */
  close(): Promise<void>;
}

/**
 * Starts an emulated Clerk instance, which `@clerk/backend` talks to unchanged. Rejects when the
 * state file can't be read or no port can be had.
 */
export async function startClerkEmulator(options: ClerkEmulatorOptions): Promise<ClerkEmulator> {
  const file = await StateFile.open(options.statePath, emptyState());
  const state = file.data;
  state.signingKey ??= newSigningKey();
  const changed = () => file.changed();
  const signer = createSigner(state.signingKey, state.instanceId);
  const deliveries = new Deliveries({
    state,
    changed,
    sign: (delivery) => signDelivery(state, delivery),
    ...(options.retryScheduleMs && { retryScheduleMs: options.retryScheduleMs }),
  });
  const app = new Hono();
  const listener = await listen(app.fetch, options.port);
  const { url } = listener;
  const clerk: ClerkInstance = {
    state,
    url,
    signer,
    changed,
    emit: (event, cause) => enqueueEvent(state, deliveries, event, cause),
  };
  const jwksUrl = `${url}/.well-known/jwks.json`;
  const instance = {
    id: state.instanceId,
    publishableKey: options.publishableKey,
    jwtKey: signer.publicKey,
    issuer: url,
    jwksUrl,
  };
  addRoutes(app, clerk, deliveries, options.secretKey);
  app.get("/_emulator/instance", (c) => c.json(instance));
  changed();
  return {
    url,
    jwtKey: signer.publicKey,
    issuer: url,
    jwksUrl,
    close: async () => {
      await listener.close();
      await deliveries.close();
      await file.close();
    },
  };
}

function addRoutes(
  app: Hono,
  clerk: ClerkInstance,
  deliveries: Deliveries,
  secretKey: string,
): void {
  const faults = new Faults();
  const limits = new RateLimits();
  app.onError(errorResponse);
  app.notFound((c) => errorResponse(notFound(`${c.req.method} ${c.req.path} is not emulated.`)));
  app.use("*", faults.middleware());
  app.use("/v1/*", requireSecretKey(secretKey), limits.middleware());
  app.route("/v1/users", userRoutes(clerk));
  app.route("/v1/organizations", membershipRoutes(clerk));
  app.route("/v1/organizations", invitationRoutes(clerk));
  app.route("/v1/organizations", organizationRoutes(clerk));
  app.route("/v1/sessions", sessionRoutes(clerk));
  app.get("/v1/jwks", (c) => c.json(clerk.signer.jwks));
  app.get("/.well-known/jwks.json", (c) => c.json(clerk.signer.jwks));
  app.route("/_emulator", controlRoutes(clerk));
  app.route("/_emulator/faults", faults.routes());
  app.route("/_emulator/deliveries", deliveryRoutes(deliveries));
  app.route("/_emulator/rate_limits", limits.routes());
}

function requireSecretKey(secretKey: string): MiddlewareHandler {
  return async (context, next) => {
    const [, key] = /^Bearer (.+)$/.exec(context.req.header("authorization") ?? "") ?? [];
    if (key === undefined) throw badAuthorizationHeader();
    if (key !== secretKey) throw badSecretKey();
    await next();
  };
}
