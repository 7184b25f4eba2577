import type * as z from "zod";
import { toJson } from "./database.ts";
import type { Json } from "./database.types.ts";
import { ApiError, type ErrorDetails } from "./errors.ts";

/** The largest webhook body: Stripe's and Clerk's stay far below. */
export const WEBHOOK_BODY_LIMIT = 1024 * 1024;

/** The largest body of a command, unless it says otherwise. */
export const COMMAND_BODY_LIMIT = 64 * 1024;

/**
 * Reads a body as text, byte for byte as it was signed, and stops at the limit.
 *
 * @param limit in bytes.
 * @throws {ApiError} `body_too_large` (413).
 */
export async function readText(request: Request, limit: number): Promise<string> {
  const tooLarge = () => ApiError.of("body_too_large", `The body is larger than ${limit} bytes.`);
  const announced = Number(request.headers.get("content-length") ?? NaN);
  if (announced > limit) throw tooLarge();

  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  // A body ends at its announced length (HTTP: message body length), so that it can be read at once,
  // at a third of the cost. Where none is announced, or something that is no number, it may never end.
  if (announced <= limit) {
    const bytes = await request.bytes();
    if (bytes.byteLength > limit) throw tooLarge();
    return decoder.decode(bytes);
  }
  let size = 0;
  let text = "";
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * Parses JSON.
 *
 * @throws {ApiError} `invalid_json` (400).
 */
export function parseJson(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    throw ApiError.of("invalid_json", "The body is not valid JSON.");
  }
}

/**
 * What a text was parsed to, as the database can take it (`toJson()`), for which there is only
 * something to do where a character is escaped.
 */
export function factOf(parsed: Json, text: string): Json {
  const isMended = text.includes("\\u") && typeof parsed === "object" && parsed !== null;
  return isMended ? toJson(parsed) : parsed;
}

/**
 * Reads the JSON body of a command.
 *
 * @param limit in bytes.
 * @throws {ApiError} `body_too_large` (413), `invalid_json` (400) or `invalid_request` (400, the
 * details say which fields are wrong).
 */
export async function readCommand<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  limit = COMMAND_BODY_LIMIT,
): Promise<z.output<Schema>> {
  const parsed = schema.safeParse(parseJson(await readText(request, limit)));
  if (parsed.success) return parsed.data;
  throw ApiError.of("invalid_request", "The request is not as this function expects it.", {
    details: issuesOf(parsed.error),
  });
}

/** Which fields are wrong, for the details of `invalid_request`. */
export function issuesOf({ issues }: z.ZodError): ErrorDetails {
  return { issues: issues.map(({ path, message }) => ({ path: path.join("."), message })) };
}
