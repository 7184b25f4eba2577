import { Hono } from "hono";
import { Deliveries } from "../emulation/deliveries.ts";
import { deliveryRoutes } from "../emulation/delivery_routes.ts";
import { Faults } from "../emulation/faults.ts";
import { listen } from "../emulation/listener.ts";
import { StateFile } from "../emulation/state.ts";
import { accountFor, type AccountParts } from "./account.ts";
import { type AccountState, emptyAccount, reviveDecimal } from "./account_state.ts";
import { Api } from "./api/endpoint.ts";
import { type ApiEnv, envelope, failuresSpeak, respond } from "./api/envelope.ts";
import { errorAnswer, invalidRequest } from "./api/errors.ts";
import { idempotency } from "./api/idempotency.ts";
import { hostedRoutes } from "./checkout/hosted_routes.ts";
import { expireDueSessions, refreshUrls } from "./checkout/session.ts";
import { sessionRoutes } from "./checkout/session_routes.ts";
import { type Clock, systemClock } from "./clock.ts";
import { controlRoutes } from "./control_routes.ts";
import { customerRoutes } from "./customers/customer_routes.ts";
import { paymentMethodRoutes } from "./customers/payment_method_routes.ts";
import { eventRoutes } from "./events/event_routes.ts";
import { webhookEndpointRoutes } from "./events/webhook_endpoint_routes.ts";
import { signatureHeader } from "./events/webhook_signature.ts";
import { hostedInvoiceRoutes } from "./invoices/hosted_routes.ts";
import { invoiceRoutes } from "./invoices/invoice_routes.ts";
import { refreshInvoiceUrls } from "./invoices/lifecycle.ts";
import { previewRoute } from "./invoices/preview_route.ts";
import { portalConfigurationRoutes } from "./portal/configuration_routes.ts";
import { portalRoutes } from "./portal/hosted_routes.ts";
import { portalSessionRoutes } from "./portal/session_routes.ts";
import { priceRoutes } from "./products/price_routes.ts";
import { productRoutes } from "./products/product_routes.ts";
import { subscriptionItemRoutes } from "./subscriptions/item_routes.ts";
import { subscriptionRoutes } from "./subscriptions/subscription_routes.ts";
import { finishAdvances } from "./test_clocks/advance.ts";
import { inFrameOf } from "./test_clocks/frame.ts";
import { testClockRoutes } from "./test_clocks/test_clock_routes.ts";

const TIME_CHECK_MS = 1000;

/** How an emulator is to run. */
export interface StripeEmulatorOptions {
  /** Taken if it is free; any free one otherwise. */
  port?: number;
  /** Where the account is kept between runs; null keeps it in memory. */
  statePath: string | null;
  /** The one key that the API accepts. */
  secretKey: string;
  /** The delays before each attempt to deliver a webhook. */
  retryScheduleMs?: readonly number[];
  /** The machine's own time unless given. */
  clock?: Clock;
}

/** A running emulator. */
export interface StripeEmulator {
  /** Without a trailing slash; the SDK wants its parts (`host`, `port`, `protocol`). */
  url: string;
  /** Stops it and saves the account. */
  close(): Promise<void>;
}

/**
 * Starts an emulated Stripe account at 127.0.0.1: the API under `/v1`, the hosted Checkout page under
 * `/c/pay`, the hosted invoice page under `/i`, the customer portal under `/p/session`, and control
 * routes under `/_emulator` (see `controlRoutes`, `Faults` and `deliveryRoutes`). Rejects where the
 * state file can't be read.
 */
export async function startStripeEmulator(options: StripeEmulatorOptions): Promise<StripeEmulator> {
  const file = await StateFile.open<AccountState>(
    options.statePath,
    emptyAccount(),
    reviveDecimal,
  );
  const changed = () => file.changed();
  const deliveries = new Deliveries({
    state: file.data,
    changed,
    sign: ({ payload, secretRef }) => ({
      "stripe-signature": signatureHeader(payload, file.data.webhookSecrets[secretRef] ?? ""),
    }),
    ...(options.retryScheduleMs === undefined ? {} : { retryScheduleMs: options.retryScheduleMs }),
  });
  const parts: AccountParts = {
    state: file.data,
    clock: options.clock ?? systemClock,
    url: "",
    deliveries,
  };
  const passTime = () => {
    const account = accountFor(parts, null);
    const isDifferent = [expireDueSessions(account), finishAdvances(account)];
    if (isDifferent.includes(true)) changed();
  };
  const app = build(parts, options.secretKey, { changed, passTime });
  const listener = await listen((request) => app.fetch(request), options.port);
  parts.url = listener.url;
  refreshUrls(accountFor(parts, null));
  refreshInvoiceUrls(accountFor(parts, null));
  const timer = setInterval(passTime, TIME_CHECK_MS);
  return {
    url: listener.url,
    close: async () => {
      clearInterval(timer);
      await listener.close();
      await deliveries.close();
      await file.close();
    },
  };
}

function build(
  parts: AccountParts,
  secretKey: string,
  hooks: { changed: () => void; passTime: () => void },
): Hono<ApiEnv> {
  const { changed, passTime } = hooks;
  const faults = new Faults();
  const actor = () => accountFor(parts, null);
  const app = new Hono<ApiEnv>();
  app.use(async (_, next) => {
    passTime();
    await next();
  });
  app.use("/v1/*", envelope(parts, secretKey), idempotency(parts), failuresSpeak());
  app.use("/v1/*", faults.middleware());
  app.use("/c/*", faults.middleware());
  app.use("/i/*", faults.middleware());
  app.use("/p/*", faults.middleware());
  const api = new Api(app, parts, changed);
  customerRoutes(api);
  paymentMethodRoutes(api);
  productRoutes(api);
  priceRoutes(api);
  sessionRoutes(api);
  subscriptionRoutes(api);
  subscriptionItemRoutes(api);
  previewRoute(api);
  invoiceRoutes(api);
  eventRoutes(api);
  webhookEndpointRoutes(api);
  portalConfigurationRoutes(api);
  portalSessionRoutes(api);
  testClockRoutes(api, () => setTimeout(passTime, 0));
  app.route("/c/pay", hostedRoutes(actor, changed));
  app.route("/i", hostedInvoiceRoutes((invoice) => inFrameOf(actor(), invoice), changed));
  app.route("/p/session", portalRoutes(actor, changed));
  app.route("/_emulator/faults", faults.routes());
  app.route("/_emulator/deliveries", deliveryRoutes(parts.deliveries));
  app.route("/_emulator", controlRoutes(actor, changed));
  app.notFound((c) => {
    const message = `Unrecognized request URL (${c.req.method}: ${c.req.path}).`;
    const { status, body } = invalidRequest(message, { status: 404 });
    return respond(status, JSON.stringify(errorAnswer(body, c.get("requestId") ?? "")));
  });
  return app;
}
