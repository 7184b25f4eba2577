import * as z from "zod";

const list = z.string().transform((text) =>
  text.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "")
);
const origins = list.pipe(
  z.array(z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin)),
);

const keysByName = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue("This is not JSON");
    return z.NEVER;
  }
}).pipe(z.record(z.string(), z.string().min(1))).transform((keys, context) => {
  const standard = keys["default"] ?? Object.values(keys)[0];
  if (standard !== undefined) return { ...keys, default: standard };
  context.addIssue("There is no key");
  return z.NEVER;
});

const requestsPerSecond = z.coerce.number().positive();

/** Every setting that a function may read, as its secrets and the platform give it. */
const settings = {
  /** The project's own address. Supabase sets it. */
  SUPABASE_URL: z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, "")),
  /** The project's secret keys, by name; without a default one it is the first. Supabase sets them. */
  SUPABASE_SECRET_KEYS: keysByName,
  /** Where Checkout returns to, and the first allowed return origin. */
  SITE_URL: z.url({ protocol: /^https?$/ }),
  /** Further origins that Checkout may return to, comma separated. */
  ALLOWED_RETURN_ORIGINS: origins.default([]),
  STRIPE_SECRET_KEY: z.string().min(1),
  /** One or several, comma separated, while they rotate; none keeps the endpoint closed. */
  STRIPE_WEBHOOK_SECRET: list.default([]),
  /** The local stack's emulator; unset anywhere else. */
  STRIPE_API_BASE: z.url().optional(),
  /** What the account allows (Stripe: rate limits, of one endpoint); a sweep uses half of it. */
  STRIPE_REQUESTS_PER_SECOND: requestsPerSecond.default(25),
  CLERK_SECRET_KEY: z.string().min(1),
  /** The instance's public key (PEM), so that tokens are verified without a network call. */
  CLERK_JWT_KEY: z.string().min(1).transform((pem) => pem.replaceAll("\\n", "\n")),
  /** Origins of the client apps whose session tokens are taken, comma separated. */
  CLERK_AUTHORIZED_PARTIES: origins.pipe(z.array(z.string()).min(1)),
  /** One or several, comma separated, while they rotate; none keeps the endpoint closed. */
  CLERK_WEBHOOK_SIGNING_SECRET: list.default([]),
  /** The local stack's emulator; unset anywhere else. */
  CLERK_API_URL: z.url().optional(),
  /** What the instance allows; unset, what Clerk says of its kind. A sweep uses half of it. */
  CLERK_REQUESTS_PER_SECOND: requestsPerSecond.optional(),
  /** Where alerts go; without it they are in the log alone. */
  SENTRY_DSN: z.url().optional(),
};

type Settings = { [Name in keyof typeof settings]: z.output<(typeof settings)[Name]> };

/**
 * Reads the named settings from the environment, once, when a function starts. An empty one, as a
 * copied `.env` has it, is none.
 *
 * @throws {Error} with every missing or malformed name in one message; never with a value.
 */
export function readConfig<Name extends keyof Settings>(...names: Name[]): Pick<Settings, Name> {
  const shape = Object.fromEntries(names.map((name) => [name, settings[name]]));
  const environment = Object.fromEntries(
    names.map((name) => [name, Deno.env.get(name) || undefined]),
  );
  const parsed = z.object(shape).safeParse(environment);
  if (parsed.success) return parsed.data as Pick<Settings, Name>;
  const wrong = new Set(parsed.error.issues.map((issue) => String(issue.path[0])));
  throw new Error(`Missing or malformed settings: ${[...wrong].join(", ")}`);
}
