import * as z from "zod";
import { ApiError } from "../_shared/errors.ts";

const id = z.string().min(1).max(255);

const membership = z.looseObject({
  id,
  organization: z.looseObject({ id }),
  public_user_data: z.looseObject({ user_id: id }),
});
const invitation = z.looseObject({
  id,
  organization_id: id,
  email_address: z.string().trim().min(1),
});

/** What an event must carry to be recorded; the rest may come or not (Clerk: webhook events). */
const shapes: Readonly<Record<string, z.ZodType>> = {
  organization: z.looseObject({ id }),
  organizationMembership: membership,
  organizationInvitation: invitation,
};

// Made once: a schema costs more to make than to use.
const envelope = z.looseObject({ type: z.string().max(255), data: z.looseObject({}) });

/** An event of Clerk's. */
export interface ClerkEvent {
  readonly type: string;
  readonly data: object;
}

/**
 * The event in a verified body, if it carries what its type must.
 *
 * @throws {ApiError} `invalid_event` (400).
 */
export function parseEvent(body: unknown): ClerkEvent {
  const event = envelope.safeParse(body);
  if (!event.success) throw ApiError.of("invalid_event", "This is not an event of Clerk's.");
  const data = shapes[event.data.type.split(".")[0] ?? ""]?.safeParse(event.data.data);
  if (data?.success === false) {
    throw ApiError.of("invalid_event", "The event lacks what its type must carry.", {
      details: { issues: data.error.issues.map(({ path, message }) => ({ path, message })) },
    });
  }
  return event.data;
}
