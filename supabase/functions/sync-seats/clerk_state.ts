import type { ClerkClient } from "@clerk/backend";
import type { Json } from "../_shared/database.types.ts";
import { clerkAnswer, clerkAnswerOrMissing } from "../_shared/clerk.ts";
import { ApiError } from "../_shared/errors.ts";
import { obeyingRetryAfter } from "./retry_after.ts";

/** The totals that Clerk must have if nothing has drifted. */
export interface Totals {
  readonly members: number;
  readonly invitations: number;
}

/** Clerk's largest page (Clerk: pagination). */
const PAGE_SIZE = 500;

/** How often a list is read again because it changed while it was read. */
const LIST_TRIES = 3;

interface Page<Item> {
  readonly data: Item[];
  readonly totalCount: number;
}

/** Clerk's totals of an organization, or null when Clerk does not know it. */
export async function readTotals(
  clerk: ClerkClient,
  organizationId: string,
): Promise<Totals | null> {
  const [memberships, invitations] = await Promise.all([
    obeyingRetryAfter(() =>
      clerkAnswerOrMissing(
        clerk.organizations.getOrganizationMembershipList({ organizationId, limit: 1 }),
      )
    ),
    obeyingRetryAfter(() =>
      clerkAnswerOrMissing(
        clerk.organizations.getOrganizationInvitationList({
          organizationId,
          status: ["pending"],
          limit: 1,
        }),
      )
    ),
  ]);
  if (memberships === null || invitations === null) return null;
  return { members: memberships.totalCount, invitations: invitations.totalCount };
}

/**
 * Clerk's complete lists, as `reconcile_organization` takes them. Invitations come first: one that
 * is accepted in between is then still in the list, or its membership already is.
 */
export async function readLists(clerk: ClerkClient, organizationId: string): Promise<Json> {
  const invitations = await readWhole((offset) =>
    clerk.organizations.getOrganizationInvitationList({
      organizationId,
      status: ["pending"],
      limit: PAGE_SIZE,
      offset,
    })
  );
  const memberships = await readWhole((offset) =>
    clerk.organizations.getOrganizationMembershipList({ organizationId, limit: PAGE_SIZE, offset })
  );
  return {
    invitations: invitations.map(({ id, emailAddress, role, createdAt, updatedAt, expiresAt }) => ({
      id,
      email: emailAddress,
      role,
      createdAt: toIso(createdAt),
      updatedAt: toIso(updatedAt),
      expiresAt: toIso(expiresAt),
    })),
    memberships: memberships.map(({ id, publicUserData, role, createdAt, updatedAt }) => ({
      id,
      userId: publicUserData?.userId ?? null,
      email: publicUserData?.identifier ?? null,
      role,
      createdAt: toIso(createdAt),
      updatedAt: toIso(updatedAt),
    })),
  };
}

/** All pages of a list. Pages shift when an entry leaves meanwhile: the list is then read again. */
async function readWhole<Item extends { readonly id: string }>(
  readPage: (offset: number) => Promise<Page<Item>>,
): Promise<Item[]> {
  for (let tries = 0; tries < LIST_TRIES; tries++) {
    const items = new Map<string, Item>();
    let total = 0;
    let isStable = true;
    do {
      const offset = items.size;
      const page = await obeyingRetryAfter(() => clerkAnswer(readPage(offset)));
      isStable &&= offset === 0 || page.totalCount === total;
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

function toIso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
