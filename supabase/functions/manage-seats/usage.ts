import { answerOf, type ServiceClient } from "../_shared/database.ts";
import type { AdminSession } from "../_shared/session.ts";

/** Which days are wanted: ISO dates in UTC, both included. */
export interface Days {
  readonly from: string;
  readonly to: string;
}

/**
 * Seats purchased and used at the end of each day, and the most that were used at once that day.
 * Days that are still to come are left out.
 *
 * @throws {ApiError} `not_organization_admin` (403), `invalid_request` (400) for no days or more
 * than 366.
 */
export async function usageByDay(
  database: ServiceClient,
  organizationId: string,
  session: AdminSession,
  { from, to }: Days,
): Promise<object> {
  const days = await answerOf(database.rpc("seat_usage", {
    p_organization_id: organizationId,
    p_clerk_org_id: session.clerkOrgId,
    p_from: from,
    p_to: to,
  }));
  return {
    data: days.map(({ day, purchased_seats, seats_used, peak_seats_used }) => ({
      date: day,
      purchasedSeats: purchased_seats,
      seatsUsed: seats_used,
      peakSeatsUsed: peak_seats_used,
    })),
  };
}
