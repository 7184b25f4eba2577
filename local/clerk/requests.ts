import type { Context } from "hono";
import { z } from "zod";
import { badBody, badParameter, ClerkError } from "./errors.ts";

/** Metadata in a request. */
export const metadataInput = z.record(z.string(), z.unknown());

/**
 * Reads a JSON body (none counts as empty) that must fit the schema. Throws Clerk's 400 for what is
 * not JSON and its 422, with an entry for each wrong parameter, for what does not fit.
 */
export async function readBody<T extends z.ZodType>(
  context: Context,
  schema: T,
): Promise<z.output<T>> {
  const text = await context.req.text();
  let body: unknown;
  try {
    body = text === "" ? {} : JSON.parse(text);
  } catch {
    throw badBody();
  }
  return parse(schema, body);
}

const pageInput = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(10),
  offset: z.coerce.number().int().min(0).default(0),
  order_by: z.string().default("-created_at"),
});

/** What a list call answers. */
export interface Page<T> {
  data: T[];
  total_count: number;
}

/** Ways to order a list: by each name, what is compared. */
export type Orders<T> = Record<string, (item: T) => string | number>;

/**
 * Orders a list (given oldest first) by `order_by` and cuts out the page that `limit` (10, at most
 * 500) and `offset` ask for. Newest first unless told otherwise. Throws Clerk's 422.
 */
export function pageOf<T>(context: Context, items: readonly T[], orders: Orders<T>): Page<T> {
  const { limit, offset, order_by } = parse(pageInput, context.req.query());
  // A `+` that was not encoded arrives as a blank.
  const [, sign = "", name = ""] = /^([+\- ]?)(.*)$/.exec(order_by) ?? [];
  const key = orders[name];
  if (key === undefined) {
    throw badParameter("form_param_value_invalid", "order_by", "is invalid");
  }
  const sorted = items.toSorted((a, b) => {
    const [x, y] = [key(a), key(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  });
  if (sign === "-") sorted.reverse();
  return { data: sorted.slice(offset, offset + limit), total_count: items.length };
}

/** All values of a query parameter, whether repeated or separated by commas. */
export function queryList(context: Context, name: string): string[] {
  return (context.req.queries(name) ?? []).flatMap((value) => value.split(","))
    .filter((value) => value !== "");
}

function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  // With the input, a parameter that is missing can be told from one of the wrong type.
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw new ClerkError(422, result.error.issues.flatMap(issueErrors));
}

function issueErrors(issue: z.core.$ZodIssue): ClerkError["errors"] {
  const path = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.flatMap((key) =>
      badParameter("form_param_unknown", key, "is unknown").errors
    );
  }
  const missing = issue.code === "invalid_type" && issue.input === undefined;
  return missing
    ? badParameter("form_param_missing", path, "must be included.").errors
    : badParameter("form_param_value_invalid", path, "is invalid").errors;
}
