import { Hono, type MiddlewareHandler } from "hono";
import { z } from "zod";
import { tooManyRequests } from "./errors.ts";

const rule = z.strictObject({
  /** HTTP method; any when left out. */
  method: z.string().optional(),
  /** Source of a regular expression that is tested on the pathname. */
  path: z.string(),
  /** Requests in one window. */
  limit: z.int().min(0),
  windowMs: z.int().min(1),
  /** Counts each path by itself, not all that match together. */
  perPath: z.boolean().default(false),
});
const input = z.union([
  z.strictObject({ profile: z.enum(["generous", "development", "production"]) }),
  z.strictObject({ rules: z.array(rule) }),
]);

type Rule = z.output<typeof rule>;

const HOUR_MS = 3_600_000;

/** Clerk's published limits (clerk.com/docs/guides/how-clerk-works/system-limits). */
function published(requestsInTenSeconds: number): Rule[] {
  const organization = "^/v1/organizations/[^/]+";
  const oneOf = { limit: 10, windowMs: 10_000, perPath: true };
  const hourly = { method: "POST", windowMs: HOUR_MS, perPath: false };
  return [
    // The key set alone is not limited.
    { path: "^/v1/(?!jwks$)", limit: requestsInTenSeconds, windowMs: 10_000, perPath: false },
    { ...hourly, path: `${organization}/invitations$`, limit: 250 },
    { ...hourly, path: `${organization}/invitations/bulk$`, limit: 50 },
    { ...oneOf, method: "PATCH", path: `${organization}$` },
    { ...oneOf, method: "PATCH", path: `${organization}/memberships/[^/]+$` },
  ];
}

/** By name: Clerk's figures, and one that tests which run side by side don't run into. */
const PROFILES: Record<"generous" | "development" | "production", Rule[]> = {
  generous: [{ path: "^/v1/", limit: 100_000, windowMs: 10_000, perPath: false }],
  development: published(100),
  production: published(1000),
};

/** How many requests are let through in which time; the rest are answered with 429. */
export class RateLimits {
  #rules = PROFILES.generous;
  readonly #windows = new Map<string, { endsAt: number; count: number }>();

  /** To be used before every route of the API. */
  middleware(): MiddlewareHandler {
    return async (context, next) => {
      const { pathname } = new URL(context.req.url);
      this.#rules.forEach((rule, index) => {
        if (rule.method !== undefined && rule.method !== context.req.method) return;
        if (!new RegExp(rule.path).test(pathname)) return;
        this.#count(`${index} ${rule.perPath ? pathname : ""}`, rule);
      });
      await next();
    };
  }

  /**
   * Control routes, to be mounted at `/_emulator/rate_limits`: `GET` shows the rules, `PUT` takes
   * `{ profile: "generous" | "development" | "production" }` or
   * `{ rules: [{ method?, path, limit, windowMs, perPath? }] }` and starts counting anew.
   */
  routes(): Hono {
    const app = new Hono();
    app.get("/", (c) => c.json(this.#rules));
    app.put("/", async (c) => {
      const result = input.safeParse(await c.req.json());
      if (!result.success) return c.json({ error: result.error.message }, 400);
      this.#rules = "profile" in result.data ? PROFILES[result.data.profile] : result.data.rules;
      this.#windows.clear();
      return c.json(this.#rules);
    });
    return app;
  }

  #count(key: string, { limit, windowMs }: Rule): void {
    const now = Date.now();
    let window = this.#windows.get(key);
    if (window === undefined || window.endsAt <= now) {
      window = { endsAt: now + windowMs, count: 0 };
      this.#windows.set(key, window);
    }
    if (window.count >= limit) throw tooManyRequests(Math.ceil((window.endsAt - now) / 1000));
    window.count += 1;
  }
}
