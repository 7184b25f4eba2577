import { ApiError } from "./errors.ts";

/** Where Checkout may return to. */
export interface ReturnSettings {
  readonly SITE_URL: string;
  readonly ALLOWED_RETURN_ORIGINS: string[];
}

/** Where Checkout returns to, after paying and after leaving. */
export interface ReturnUrls {
  readonly successUrl: string;
  readonly cancelUrl: string;
}

/**
 * The addresses that the caller wants, if their origins are on the allow-list, or the site's own.
 * Stripe puts the session's id in place of `{CHECKOUT_SESSION_ID}` (Stripe: Checkout, custom
 * success page).
 *
 * @throws {ApiError} `return_url_not_allowed` (400).
 */
export function returnUrls(
  settings: ReturnSettings,
  wanted: { readonly successUrl?: string | undefined; readonly cancelUrl?: string | undefined },
): ReturnUrls {
  const site = new URL(settings.SITE_URL);
  return {
    successUrl: wanted.successUrl === undefined
      ? `${site.origin}/billing?checkout=success&session_id={CHECKOUT_SESSION_ID}`
      : requireAllowed(settings, wanted.successUrl, "successUrl"),
    cancelUrl: wanted.cancelUrl === undefined
      ? `${site.origin}/billing?checkout=cancelled`
      : requireAllowed(settings, wanted.cancelUrl, "cancelUrl"),
  };
}

/**
 * An address that the caller wants to return to, if its origin is on the allow-list.
 *
 * @param field the name of the field that it came in, for the error.
 * @throws {ApiError} `return_url_not_allowed` (400).
 */
export function requireAllowed(settings: ReturnSettings, address: string, field: string): string {
  const allowed = [new URL(settings.SITE_URL).origin, ...settings.ALLOWED_RETURN_ORIGINS];
  const url = URL.canParse(address) ? new URL(address) : null;
  // The origin alone would let a blob: address of ours pass.
  const isPlain = url !== null && /^https?:$/.test(url.protocol) &&
    url.username === "" && url.password === "";
  if (!isPlain || !allowed.includes(url.origin)) {
    throw ApiError.of("return_url_not_allowed", "Checkout may not return to this address.", {
      details: { field, allowedOrigins: allowed },
    });
  }
  return address;
}
