import assert from "node:assert/strict";
import type { Answer } from "../api.ts";
import { clickBuy, type Wish } from "../checkout.ts";
import type { Clients } from "../clients.ts";
import { createOrganization, type Organization } from "../organizations.ts";
import { countRequests } from "../requests.ts";
import { intentsOf } from "../rows.ts";

/** The answer to a click; asserts that it left no intent and that Stripe was not asked for anything. */
export async function refused(
  { sql, stripeControl }: Clients,
  organization: Organization,
  click: () => Promise<Answer>,
): Promise<Answer> {
  const before = await intentsOf(sql, organization);
  const requests = await countRequests(stripeControl, { contains: organization.id });
  const answer = await click();
  assert.equal(await requests.hits(), 0, "Stripe was called");
  await requests.remove();
  assert.deepEqual(await intentsOf(sql, organization), before);
  return answer;
}

/** The answer to a wish of a new organization, as `refused()` has it. */
export async function refusedWish(clients: Clients, wish: Wish): Promise<Answer> {
  const organization = await createOrganization(clients);
  return await refused(clients, organization, () => clickBuy(clients, organization, wish));
}
