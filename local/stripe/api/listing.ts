import type { Stripe } from "stripe";
import { invalidRequest, resourceMissing } from "./errors.ts";

/** The part of a list's parameters that pages through it. */
export interface Page {
  limit: number;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

/**
 * One page of a list that is given newest first. `kind` names the objects in the refusal of a
 * cursor that is not among them.
 */
export function pageOf<T extends { id: string }>(
  objects: readonly T[],
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
  if (before !== undefined) {
    const end = positionOf(objects, before, kind, "ending_before");
    const start = Math.max(0, end - limit);
    return { object: "list", data: objects.slice(start, end), has_more: start > 0, url };
  }
  const start = after === undefined ? 0 : positionOf(objects, after, kind, "starting_after") + 1;
  const end = start + limit;
  return { object: "list", data: objects.slice(start, end), has_more: end < objects.length, url };
}

/** A list that is shown whole, inside another object. */
export function wholeList<T>(data: T[], url: string): Stripe.ApiList<T> {
  return { object: "list", data, has_more: false, url };
}

function positionOf(
  objects: readonly { id: string }[],
  id: string,
  kind: string,
  param: string,
): number {
  const position = objects.findIndex((object) => object.id === id);
  if (position === -1) throw resourceMissing(kind, id, param);
  return position;
}
