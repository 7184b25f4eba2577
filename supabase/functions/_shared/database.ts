import { PostgrestClient, type PostgrestSingleResponse } from "@supabase/postgrest-js";
import type { SupabaseEnv } from "@supabase/server";
import { readConfig } from "./config.ts";
import type { Database, Json } from "./database.types.ts";
import { ApiError, type ErrorDetails } from "./errors.ts";

/** The Data API, as the role that may call the writing functions. */
export type ServiceClient = PostgrestClient<Database>;

/**
 * The project's keys where Supabase gives them as it did before there were publishable and secret
 * keys: as anonymous and service role key. Otherwise nothing, since the library finds them by itself.
 */
export function legacyKeys(): Partial<SupabaseEnv> {
  const anonymous = Deno.env.get("SUPABASE_ANON_KEY");
  const serviceRole = Deno.env.get("SUPABASE_SERVICE_ROLE_KEY");
  return {
    ...(Deno.env.has("SUPABASE_PUBLISHABLE_KEYS") || anonymous === undefined
      ? {}
      : { publishableKeys: { default: anonymous } }),
    ...(Deno.env.has("SUPABASE_SECRET_KEYS") || serviceRole === undefined
      ? {}
      : { secretKeys: { default: serviceRole } }),
  };
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
  const key = secretKey();
  return new PostgrestClient<Database>(`${SUPABASE_URL}/rest/v1`, {
    schema: "public",
    headers: { apikey: key, Authorization: `Bearer ${key}` },
  });
}

/** The secret key named `default`, or else the first one. */
function secretKey(): string {
  const older = legacyKeys().secretKeys?.["default"];
  if (older !== undefined) return older;
  const { SUPABASE_SECRET_KEYS } = readConfig("SUPABASE_SECRET_KEYS");
  const key = SUPABASE_SECRET_KEYS["default"] ?? Object.values(SUPABASE_SECRET_KEYS)[0];
  if (key === undefined) throw new Error("Missing or malformed settings: SUPABASE_SECRET_KEYS");
  return key;
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
  const { data, error } = await query;
  if (error === null) return data;
  const refused = /^PT(\d{3})$/.exec(error.code ?? "");
  if (refused !== null) {
    throw ApiError.refusal(
      Number(refused[1]),
      error.message,
      error.hint ?? error.message,
      parseDetails(error.details),
    );
  }
  throw ApiError.of("database_unavailable", "The database did not do its part. Try again.", {
    retryAfter: 5,
    cause: new Error(`${error.code ?? "no code"}: ${error.message}`),
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
