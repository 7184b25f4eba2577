import { PostgrestClient, type PostgrestSingleResponse } from "@supabase/postgrest-js";
import { readConfig } from "./config.ts";
import type { Database, Json } from "./database.types.ts";
import { ApiError, type ErrorDetails } from "./errors.ts";

/** The Data API, as the role that may call the writing functions. */
export type ServiceClient = Pick<PostgrestClient<Database>, "from" | "rpc">;

/**
 * The project's secret keys, by name. Older projects have a service role key instead.
 *
 * @throws {Error} which names the setting when it is missing or malformed.
 */
export function secretKeys(): Record<string, string> & { readonly default: string } {
  const older = Deno.env.get("SUPABASE_SERVICE_ROLE_KEY");
  return Deno.env.has("SUPABASE_SECRET_KEYS") || older === undefined
    ? readConfig("SUPABASE_SECRET_KEYS").SUPABASE_SECRET_KEYS
    : { default: older };
}

/**
 * Connects with the secret key that Supabase hands to every function, by the part of supabase-js that
 * speaks to the database. The whole would look for a session before each call, of which a function has
 * none, and copy the headers twice more.
 *
 * @throws {Error} which names the setting that is missing or malformed.
 */
export function connectDatabase(): ServiceClient {
  const { SUPABASE_URL } = readConfig("SUPABASE_URL");
  const { default: key } = secretKeys();
  const credentials = { apikey: key, Authorization: `Bearer ${key}` };
  return new PostgrestClient<Database>(`${SUPABASE_URL}/rest/v1`, {
    schema: "public",
    // Not as the client's `headers`: those it copies twice and sorts once for each call.
    wrapFetch: (send) => (address, init) =>
      send(address, { ...init, headers: { ...init?.headers, ...credentials } }),
  });
}

/**
 * The data of a query.
 *
 * @throws {ApiError} the refusal that the database raised (SQLSTATE `PTxyz`: HTTP status xyz, the
 * message is the code, the hint the sentence, the detail JSON), or `database_unavailable` (503).
 */
export async function answerOf<Data>(
  query: PromiseLike<PostgrestSingleResponse<Data>>,
): Promise<Data> {
  const { data, error, status } = await query;
  if (error === null) {
    // A failure without a word, `null`, is no error to the library.
    if (status < 400) return data;
    throw unavailable(`an answer ${status} of null`);
  }
  const refused = /^PT(\d{3})$/.exec(error.code ?? "");
  if (refused !== null) {
    throw ApiError.refusal(
      Number(refused[1]),
      error.message,
      error.hint ?? error.message,
      parseDetails(error.details),
    );
  }
  throw unavailable(`${error.code ?? "no code"}: ${error.message}`);
}

function unavailable(reason: string): ApiError {
  return ApiError.of("database_unavailable", "The database did not do its part. Try again.", {
    retryAfter: 5,
    cause: new Error(reason),
  });
}

/**
 * A value as JSON carries it to the database: what JSON has no word for is left out, and the replacement
 * character stands for what Postgres has no room for: NUL and halves of surrogate pairs (PostgreSQL:
 * JSON types). A fact must not be lost because of a name in it.
 */
export function toJson(value: object): Json {
  const text = JSON.stringify(value);
  return JSON.parse(text.replaceAll(/(?<=(?:^|[^\\])(?:\\\\)*)\\u(?:0000|d[89a-f]..)/g, "\\ufffd"));
}

function parseDetails(details: string | null): ErrorDetails {
  try {
    return JSON.parse(details ?? "{}");
  } catch {
    return details ?? {};
  }
}
