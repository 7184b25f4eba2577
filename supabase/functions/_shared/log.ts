/** How much a line of the log matters: an `alert` wants a person to look. */
export type LogLevel = "info" | "warn" | "error" | "alert";

/**
 * Writes one line of JSON to the log. Only what is named here is written: never pass a request, a
 * header, a token or an environment.
 */
export function log(
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, string | number | boolean | null | undefined>>,
): void {
  const line = JSON.stringify({ level, message, ...fields });
  if (level === "info") console.log(line);
  else if (level === "warn") console.warn(line);
  else console.error(line);
}

/** What of an error may be logged: its name and message and, for a provider's, its request id. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${describeError(error.cause)})`;
  return `${error.name}: ${error.message}${cause}`;
}
