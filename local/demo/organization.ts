import { type Numbers, readNumbers } from "./numbers.ts";
import { createUser } from "./people.ts";
import type { Story } from "./story.ts";
import type { World } from "./world.ts";

/** An organization that the demo is about. */
export interface Organization {
  /** Clerk's. */
  clerkId: string;
  /** Ours. */
  id: string;
  /** Clerk's id of the user who made it. */
  ownerId: string;
}

/** Creates an organization in Clerk and waits until its webhooks have made the row. */
export async function createOrganization(world: World, name: string): Promise<Organization> {
  const ownerId = await createUser(world, "owner");
  const { id: clerkId } = await world.clerk.organizations.createOrganization({
    name,
    createdBy: ownerId,
  });
  await world.settled();
  const [row] = await world.sql<{ id: string }[]>`
    select id from public.organizations where clerk_org_id = ${clerkId}`;
  if (row === undefined) throw new Error("clerk-webhook has made no organization");
  return { clerkId, id: row.id, ownerId };
}

/** Shows the numbers of an organization before and after something is done. */
export async function step(
  world: World,
  story: Story,
  clerkId: string,
  expected: Partial<Numbers>,
  act: () => Promise<void>,
): Promise<void> {
  const before = await readNumbers(world.sql, clerkId);
  await act();
  await world.settled();
  story.compare(before, await readNumbers(world.sql, clerkId), expected);
}
