import { Stripe } from "stripe";
import { z } from "zod";
import type { FormFields } from "./form.ts";
import { StripeFailure } from "./errors.ts";

/** Text that may not be empty: to Stripe an empty value is an attempt to unset the parameter. */
export const text = z.string().min(1).max(5000);

/** Text, or nothing at all to unset it. */
export const clearableText = z.string().max(5000).transform((value) => value === "" ? null : value);

/** The address of a web page or an endpoint. */
export const webAddress = text.refine(isWebAddress, "url");

/** A whole number. */
export const integer = z.string().regex(/^-?\d+$/, "integer").transform(Number);

/** A quantity or an amount of money that can't be negative. */
export const nonNegative = integer.refine((value) => value >= 0, "minimum");

/** `true` or `false`. */
export const boolean = z.enum(["true", "false"]).transform((value) => value === "true");

/** A number of any precision, kept exact. */
export const decimal = z.string().regex(/^-?\d+(\.\d+)?$/, "decimal").transform((value) =>
  Stripe.Decimal.from(value)
);

/** Key-value pairs; an empty value unsets its key, an empty string all of them. */
export const metadata = z.union([
  z.literal("").transform(() => null),
  z.record(z.string().min(1).max(40), z.string().max(500)),
]);

/** A time, or its bounds. */
export const timeRange = z.union([
  integer.transform((at): TimeRange => ({ gte: at, lte: at })),
  z.strictObject({ gt: integer, gte: integer, lt: integer, lte: integer }).partial(),
]);

/** The bounds of a time, in seconds since 1970. */
export interface TimeRange {
  gt?: number | undefined;
  gte?: number | undefined;
  lt?: number | undefined;
  lte?: number | undefined;
}

/** The parameters of every list. */
export const pagination = {
  limit: integer.refine((value) => value >= 1 && value <= 100, "limit").default(10),
  starting_after: text.optional(),
  ending_before: text.optional(),
};

const expand = { expand: z.array(text).default([]) };

/**
 * The parameters that an endpoint takes. `P` is the SDK's type for them, so that a name which Stripe
 * doesn't know can't be written here. Every endpoint takes `expand`; any other name is refused.
 */
export function paramsOf<P>() {
  return <S extends { [Name in keyof P]?: z.ZodType }>(
    shape: S & { [Name in Exclude<keyof S, keyof P>]: never },
  ) => z.strictObject({ ...shape as S, ...expand });
}

/** Applies sent metadata to what is there. */
export function mergeMetadata(
  before: Stripe.Metadata,
  sent: Record<string, string> | null | undefined,
): Stripe.Metadata {
  if (sent === undefined) return before;
  if (sent === null) return {};
  const merged = { ...before, ...sent };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== ""));
}

/** Says whether a time lies within the bounds. */
export function isWithin(at: number, range: TimeRange | undefined): boolean {
  if (range === undefined) return true;
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = range;
  return at > gt && at >= gte && at < lt && at <= lte;
}

/** Checks what was sent. Throws a `StripeFailure` that no idempotency key keeps. */
export function parseParams<S extends z.ZodType>(schema: S, fields: FormFields): z.output<S> {
  const result = schema.safeParse(fields, { reportInput: true });
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap(innermost);
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  if (issue === undefined) throw result.error;
  throw new StripeFailure(400, { type: "invalid_request_error", ...describe(issue) }, false);
}

/** Of a union's failures the last branch's are the telling ones: it is the one with fields. */
function innermost(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  return (issue.errors.at(-1) ?? []).flatMap((inner) =>
    innermost({ ...inner, path: [...issue.path, ...inner.path] })
  );
}

function describe(issue: z.core.$ZodIssue): { message: string; code?: string; param: string } {
  const param = bracketed(issue.path);
  if (issue.code === "unrecognized_keys") {
    const names = issue.keys.map((key) => bracketed([...issue.path, key]));
    const message = `Received unknown parameter${names.length > 1 ? "s" : ""}: ${names.join(", ")}`;
    return { message, code: "parameter_unknown", param: names[0] ?? param };
  }
  if (issue.input === undefined) {
    return { message: `Missing required param: ${param}.`, code: "parameter_missing", param };
  }
  if (issue.input === "") {
    const message = `You passed an empty string for '${param}'. We assume empty values are an ` +
      `attempt to unset a parameter; however '${param}' cannot be unset. You should remove ` +
      `'${param}' from your request or supply a non-empty value.`;
    return { message, code: "parameter_invalid_empty", param };
  }
  const value = typeof issue.input === "string" ? issue.input : JSON.stringify(issue.input);
  if (issue.code === "invalid_value") {
    const choices = issue.values.map(String).join(", ");
    return { message: `Invalid ${param}: must be one of ${choices}`, param };
  }
  if (issue.message === "url") {
    return { message: `Invalid URL: ${value}`, code: "url_invalid", param };
  }
  if (issue.message === "integer" || issue.message === "decimal") {
    const message = `Invalid ${issue.message}: ${value}`;
    return { message, code: `parameter_invalid_integer`, param };
  }
  if (issue.code === "invalid_type") {
    const message = issue.expected === "array" ? "Invalid array" : `Invalid ${issue.expected}`;
    return { message: `${message}: ${value}`, param };
  }
  return { message: `Invalid ${param}: ${value}`, param };
}

function isWebAddress(value: string): boolean {
  return /^https?:\/\/[^/]/.test(value) && URL.canParse(value);
}

function bracketed(path: readonly PropertyKey[]): string {
  const [first = "", ...rest] = path.map(String);
  return [first, ...rest.map((step) => `[${step}]`)].join("");
}
