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
  let sentry: ReturnType<typeof openSentry> | undefined;
  return async (message, fields) => {
    log("alert", message, fields);
    if (dsn === undefined) return;
    sentry ??= openSentry(dsn);
    const { captureMessage, flush } = await sentry;
    captureMessage(message, { level: "fatal", extra: { ...fields } });
    await flush(2000);
  };
}

/** Loads Sentry for the first alert: it would double the time that a function takes to start. */
async function openSentry(dsn: string) {
  const sentry = await import("@sentry/deno");
  sentry.init({ dsn, defaultIntegrations: false, tracesSampleRate: 0 });
  return sentry;
}
