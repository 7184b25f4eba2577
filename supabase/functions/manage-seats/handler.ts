import type { Context, Hono } from "hono";
import type Stripe from "stripe";
import * as z from "zod";
import type { Alert } from "../_shared/alerts.ts";
import { readCommand } from "../_shared/body.ts";
import { type Handler, withBoundary } from "../_shared/boundary.ts";
import type { ServiceClient } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import type { ReturnSettings } from "../_shared/return_urls.ts";
import { routesBelow } from "../_shared/routes.ts";
import { requireAdminSession, requireSession, type SessionSettings } from "../_shared/session.ts";
import { accountBook } from "./account_book.ts";
import { changeSeats } from "./change.ts";
import { openPortal } from "./portal.ts";
import { previewChange } from "./preview.ts";
import { readSummary, summarize } from "./summary.ts";
import { usageByDay } from "./usage.ts";

/** What the handler works with. */
export interface Dependencies {
  readonly config: SessionSettings & ReturnSettings;
  readonly database: ServiceClient;
  readonly stripe: Stripe;
  readonly alert: Alert;
  /** The time in milliseconds, as `Date.now` tells it. */
  readonly now: () => number;
}

const wish = {
  seats: z.int().min(0).max(1_000_000),
  plan: z.string().max(64).optional(),
  billingPeriod: z.string().max(64).optional(),
};
const previewCommand = z.strictObject(wish);
const changeCommand = z.strictObject({ ...wish, prorationDate: z.iso.datetime().optional() });
const portalCommand = z.strictObject({ returnUrl: z.string().max(2048).optional() });
const days = z.object({ from: z.iso.date(), to: z.iso.date() });
const page = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.coerce.number().int().min(0).optional(),
});

/**
 * Everything about an organization's seats, for those who pay for them. All below
 * `/manage-seats/:organizationId`:
 *
 * - `GET /` (any member): how it stands and who has the seats.
 * - `POST /preview` (admin): what a change would cost, and when it would count.
 * - `POST /change` (admin), with an `Idempotency-Key`: the change itself; 202 while its payment is
 *   awaited.
 * - `DELETE /scheduled-change` (admin): takes a scheduled decrease back.
 * - `POST /portal` (admin): Stripe's customer portal.
 * - `GET /changes` (admin): the account book.
 * - `GET /usage` (admin): seats purchased and used by day.
 */
export function createHandler(dependencies: Dependencies): Handler {
  const app = routes(dependencies);
  return withBoundary(
    "manage-seats",
    ["GET", "POST", "DELETE"],
    async (request, { requestId }) => await app.fetch(request, { requestId }),
  );
}

/** The routes by themselves, whose errors are the boundary's to answer. */
export function routes(dependencies: Dependencies): Hono {
  const { config } = dependencies;
  const app = routesBelow("/manage-seats/:organizationId");
  app.get("/", async (c) => {
    const session = await requireSession(c.req.raw, config);
    const summary = await readSummary(dependencies, organizationId(c), session.clerkOrgId);
    return c.json(await summarize(dependencies, summary, readPage(c)));
  });
  app.post("/preview", async (c) => {
    const session = await requireAdminSession(c.req.raw, config);
    const wanted = await readCommand(c.req.raw, previewCommand);
    return c.json(await previewChange(dependencies, organizationId(c), session, wanted));
  });
  app.post("/change", async (c) => {
    const session = await requireAdminSession(c.req.raw, config);
    const wanted = await readCommand(c.req.raw, changeCommand);
    const change = await changeSeats(dependencies, {
      ...wanted,
      organizationId: organizationId(c),
      session,
      idempotencyKey: idempotencyKey(c),
    });
    return c.json(change, change.state === "awaiting_payment" ? 202 : 200);
  });
  app.delete("/scheduled-change", async (c) => {
    const session = await requireAdminSession(c.req.raw, config);
    const id = organizationId(c);
    const { change, purchasedSeats, plan } = await readSummary(
      dependencies,
      id,
      session.clerkOrgId,
    );
    if (change?.state !== "scheduled" || plan === null) {
      throw ApiError.of("nothing_scheduled", "No decrease is scheduled.");
    }
    return c.json(
      await changeSeats(dependencies, {
        organizationId: id,
        session,
        seats: purchasedSeats,
        plan,
        idempotencyKey: `undo-${change.seatChangeId}`,
      }),
    );
  });
  app.post("/portal", async (c) => {
    const session = await requireAdminSession(c.req.raw, config);
    const wanted = await readCommand(c.req.raw, portalCommand);
    const summary = await readSummary(dependencies, organizationId(c), session.clerkOrgId);
    return c.json(await openPortal(dependencies, summary, wanted.returnUrl));
  });
  app.get("/changes", async (c) => {
    const session = await requireAdminSession(c.req.raw, config);
    const id = organizationId(c);
    await readSummary(dependencies, id, session.clerkOrgId);
    return c.json(await accountBook(dependencies.database, id, readPage(c)));
  });
  app.get("/usage", async (c) => {
    const session = await requireAdminSession(c.req.raw, config);
    const wanted = days.safeParse(c.req.query());
    if (!wanted.success) {
      throw ApiError.of("invalid_request", "Name the days from and to as YYYY-MM-DD.");
    }
    return c.json(await usageByDay(dependencies.database, organizationId(c), session, wanted.data));
  });
  return app;
}

function organizationId(c: Context): string {
  const id = z.uuid().safeParse(c.req.param("organizationId"));
  if (!id.success) throw ApiError.of("invalid_request", "The organization's id is not a UUID.");
  return id.data;
}

function idempotencyKey(c: Context): string {
  const key = c.req.header("idempotency-key") ?? "";
  if (key === "" || key.length > 200) {
    throw ApiError.of(
      "idempotency_key_required",
      "Send an Idempotency-Key header of at most 200 characters.",
    );
  }
  return key;
}

/** Which page is wanted. */
export type Page = z.infer<typeof page>;

function readPage(c: Context): Page {
  const wanted = page.safeParse(c.req.query());
  if (!wanted.success) throw ApiError.of("invalid_request", "The page is not a number.");
  return wanted.data;
}
