import { answerOf, type ServiceClient } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import type { AdminSession } from "../_shared/session.ts";

/** How many seats there are and how many are taken. */
export interface Seats {
  readonly seatLimit: number;
  readonly seatsUsed: number;
  /** Below zero after a fact took the organization past its limit. */
  readonly available: number;
}

/**
 * What may be read of the organization that is asked about, if the session is for it.
 *
 * @throws {ApiError} `not_organization_admin` (403), as the database's commands do.
 */
export async function requireOrganization(
  database: ServiceClient,
  organizationId: string,
  { clerkOrgId }: AdminSession,
): Promise<{ readonly joinCode: string }> {
  const [organization] = await answerOf(
    database.from("organizations").select("join_code")
      .eq("id", organizationId).eq("clerk_org_id", clerkOrgId),
  );
  if (organization === undefined) {
    throw ApiError.of("not_organization_admin", "You are not an admin of this organization.");
  }
  return { joinCode: organization.join_code };
}

/** The seats as they are now. */
export async function readSeats(database: ServiceClient, organizationId: string): Promise<Seats> {
  const [[capacity], [organization]] = await Promise.all([
    answerOf(
      database.rpc("check_organization_capacity", { p_organization_id: organizationId }),
    ),
    answerOf(
      database.from("organizations").select("seats_used").eq("id", organizationId),
    ),
  ]);
  return {
    seatLimit: capacity?.seat_limit ?? 0,
    seatsUsed: organization?.seats_used ?? 0,
    available: capacity?.remaining_seats ?? 0,
  };
}
