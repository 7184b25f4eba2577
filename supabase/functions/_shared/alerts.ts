import * as Sentry from "@sentry/deno";
import { log } from "./log.ts";

/** Something that a person has to look at, with what is needed to understand it. */
export type Alert = (
  message: string,
  fields: Readonly<Record<string, string | number | null | undefined>>,
) => Promise<void>;

/**
 * Raises alerts as `fatal`: in the log always, at Sentry when a DSN is set. Resolves once Sentry has
 * them, since a function may end with its answer.
 */
export function alertWith(dsn: string | undefined): Alert {
  if (dsn !== undefined) Sentry.init({ dsn, defaultIntegrations: false, tracesSampleRate: 0 });
  return async (message, fields) => {
    log("alert", message, fields);
    if (dsn === undefined) return;
    Sentry.captureMessage(message, { level: "fatal", extra: { ...fields } });
    await Sentry.flush(2000);
  };
}
