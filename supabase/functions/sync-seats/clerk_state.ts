import type { OrganizationMembership } from "@clerk/backend";
import { CLERK_PAGE_SIZE, clerkAnswerOrMissing } from "../_shared/clerk.ts";
import { invitationFact, membershipFact, toIso } from "../_shared/clerk_facts.ts";
import { toJson } from "../_shared/database.ts";
import type { Json } from "../_shared/database.types.ts";
import { ApiError } from "../_shared/errors.ts";
import type { Connections } from "./connections.ts";

/** How often a list is read again because it changed while it was read. */
const LIST_TRIES = 3;

interface Page<Item> {
  readonly data: Item[];
  readonly totalCount: number;
}

/**
 * Clerk's complete lists, as `reconcile_organization` takes them, or null when Clerk does not know
 * the organization. Up to a page of people they cost no more requests than their totals would.
 * Invitations come first: one that is accepted in between is then still in the list, or its
 * membership already is.
 */
export async function readLists(
  { clerk, clerkPace }: Pick<Connections, "clerk" | "clerkPace">,
  organizationId: string,
): Promise<Json> {
  const invitations = await readWhole((offset) =>
    clerkPace.call(() =>
      clerkAnswerOrMissing(
        clerk.organizations.getOrganizationInvitationList({
          organizationId,
          status: ["pending"],
          limit: CLERK_PAGE_SIZE,
          offset,
        }),
      )
    )
  );
  const memberships = invitations &&
    await readWhole((offset) =>
      clerkPace.call(() =>
        clerkAnswerOrMissing(
          clerk.organizations.getOrganizationMembershipList({
            organizationId,
            limit: CLERK_PAGE_SIZE,
            offset,
          }),
        )
      )
    );
  if (invitations === null || memberships === null) return null;
  return toJson({
    organization: settingsOf(memberships),
    invitations: invitations.map(invitationFact),
    memberships: memberships.map(membershipFact),
  });
}

/** Each membership carries its organization; one without members is known by its lists alone. */
function settingsOf([membership]: readonly OrganizationMembership[]): Json {
  if (membership === undefined) return null;
  const { name, slug, maxAllowedMemberships: limit, updatedAt } = membership.organization;
  return { name, slug, limit, updatedAt: toIso(updatedAt) };
}

/** All pages of a list. Pages shift when an entry leaves meanwhile: the list is then read again. */
async function readWhole<Item extends { readonly id: string }>(
  readPage: (offset: number) => Promise<Page<Item> | null>,
): Promise<Item[] | null> {
  for (let tries = 0; tries < LIST_TRIES; tries++) {
    const items = new Map<string, Item>();
    let total = 0;
    let isStable = true;
    do {
      const page = await readPage(items.size);
      if (page === null) return null;
      isStable &&= items.size === 0 || page.totalCount === total;
      total = page.totalCount;
      for (const item of page.data) items.set(item.id, item);
      if (page.data.length === 0) break;
    } while (items.size < total && isStable);
    if (isStable && items.size === total) return [...items.values()];
  }
  throw ApiError.of("clerk_unavailable", "Clerk's list keeps changing. Try again.", {
    retryAfter: 5,
  });
}
