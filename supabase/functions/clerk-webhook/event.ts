import * as z from "zod";
import { ApiError } from "../_shared/errors.ts";

const id = z.string().min(1).max(255);
const role = z.string().min(1).max(128).nullish();

const membership = z.object({
  id,
  organization: z.object({ id }),
  public_user_data: z.object({ user_id: id }),
  role,
});
const invitation = z.object({
  id,
  organization_id: id,
  email_address: z.string().trim().min(1),
  role,
  user_id: id.nullish(),
  inviter_id: z.string().max(255).nullish(),
});

/**
 * What an event must carry to be recorded, and what there is room for of what else it may carry
 * (Clerk: webhook events).
 */
const shapes: ReadonlyMap<string, z.ZodType> = new Map([
  ["organization", z.object({ id })],
  ["organizationMembership", membership],
  ["organizationInvitation", invitation],
]);

// Made once: a schema costs more to make than to use.
const envelope = z.object({ type: z.string().max(255), data: z.looseObject({}) });

/**
 * Checks that what stands in a verified body is an event, and carries what its type must.
 *
 * @throws {ApiError} `invalid_event` (400).
 */
export function checkEvent(body: unknown): void {
  const event = envelope.safeParse(body);
  if (!event.success) throw ApiError.of("invalid_event", "This is not an event of Clerk's.");
  const data = shapes.get(event.data.type.split(".")[0] ?? "")?.safeParse(event.data.data);
  if (data?.success === false) {
    throw ApiError.of("invalid_event", "The event lacks what its type must carry.", {
      details: { issues: data.error.issues.map(({ path, message }) => ({ path, message })) },
    });
  }
}
