import type { ClerkClient, OrganizationInvitation, OrganizationMembership } from "@clerk/backend";

/** Clerk's largest page. */
const PAGE_SIZE = 500;

/** Who is in an organization and who is invited, as Clerk has it. */
export interface ClerkLists {
  readonly members: readonly OrganizationMembership[];
  readonly invitations: readonly OrganizationInvitation[];
}

/** Reads Clerk's complete lists; throws what Clerk's SDK throws. */
export async function readClerkLists(
  { organizations }: ClerkClient,
  organizationId: string,
): Promise<ClerkLists> {
  const list = { organizationId, limit: PAGE_SIZE };
  const [members, invitations] = await Promise.all([
    readAll((offset) => organizations.getOrganizationMembershipList({ ...list, offset })),
    readAll((offset) =>
      organizations.getOrganizationInvitationList({ ...list, offset, status: ["pending"] })
    ),
  ]);
  return { members, invitations };
}

async function readAll<Item>(
  readPage: (offset: number) => Promise<{ data: Item[]; totalCount: number }>,
): Promise<Item[]> {
  const items: Item[] = [];
  for (;;) {
    const { data, totalCount } = await readPage(items.length);
    items.push(...data);
    if (items.length >= totalCount) return items;
  }
}
