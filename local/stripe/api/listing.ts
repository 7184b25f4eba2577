import type { Stripe } from "stripe";
import { invalidRequest, resourceMissing } from "./errors.ts";

/** The part of a list's parameters that pages through it. */
export interface Page {
  limit: number;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

/**
 * One page of a list that is given newest first, and read no further than the page goes. `kind` names
 * the objects in the refusal of a cursor that is not among them.
 */
export function pageOf<T extends { id: string }>(
  objects: Iterable<T>,
  page: Page,
  kind: string,
  url: string,
): Stripe.ApiList<T> {
  const { limit, starting_after: after, ending_before: before } = page;
  if (after !== undefined && before !== undefined) {
    throw invalidRequest("You can't specify both starting_after and ending_before.", {
      param: "ending_before",
    });
  }
  const rest = Iterator.from(objects);
  if (before !== undefined) {
    const newer = takeUntil(rest, before, kind, "ending_before");
    return { object: "list", data: newer.slice(-limit), has_more: newer.length > limit, url };
  }
  if (after !== undefined) takeUntil(rest, after, kind, "starting_after");
  const found = rest.take(limit + 1).toArray();
  return { object: "list", data: found.slice(0, limit), has_more: found.length > limit, url };
}

/** A list that is shown whole, inside another object. */
export function wholeList<T>(data: T[], url: string): Stripe.ApiList<T> {
  return { object: "list", data, has_more: false, url };
}

/** Takes what comes before the object with this id, and the object itself. */
function takeUntil<T extends { id: string }>(
  objects: Iterator<T>,
  id: string,
  kind: string,
  param: string,
): T[] {
  const passed: T[] = [];
  for (let next = objects.next(); !next.done; next = objects.next()) {
    if (next.value.id === id) return passed;
    passed.push(next.value);
  }
  throw resourceMissing(kind, id, param);
}
