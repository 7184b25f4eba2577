import assert from "node:assert/strict";
import type { OrganizationMembership, WebhookEvent } from "@clerk/backend";
import { isClerkAPIResponseError } from "@clerk/backend/errors";
import { Webhook } from "svix";
import { ClerkFixtures } from "../../../local/clerk/fixtures.ts";
import {
  type ClerkEmulator,
  type ClerkEmulatorOptions,
  startClerkEmulator,
} from "../../../local/clerk/server.ts";
import { type Receiver, startReceiver } from "../emulation/receiver.ts";

export const SECRET_KEY = "sk_test_c2VhdGtlZXBlcg";
export const WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** A verified webhook, with the two fields that the SDK's type leaves out. */
export type VerifiedEvent = WebhookEvent & { timestamp: number; instance_id: string };

/** What a test of the emulator works with. */
export interface ClerkBench {
  emulator: ClerkEmulator;
  fixtures: ClerkFixtures;
  /** Gets the webhooks. */
  receiver: Receiver;
  /** The webhooks so far, each with its signature checked by Svix's own library. */
  events: () => VerifiedEvent[];
}

/** Runs a test against an emulator of its own, whose webhooks go to a receiver of its own. */
export async function withClerk(
  run: (bench: ClerkBench) => Promise<void>,
  options: Partial<ClerkEmulatorOptions> = {},
): Promise<void> {
  const emulator = await startClerkEmulator({
    statePath: null,
    secretKey: SECRET_KEY,
    publishableKey: "pk_test_c2VhdGtlZXBlcg",
    retryScheduleMs: [0, 10, 10],
    ...options,
  });
  const receiver = await startReceiver();
  const fixtures = new ClerkFixtures({
    CLERK_API_URL: emulator.url,
    CLERK_SECRET_KEY: SECRET_KEY,
  });
  const events = () =>
    receiver.received.map(({ headers, body }): VerifiedEvent => {
      new Webhook(WEBHOOK_SECRET).verify(body, Object.fromEntries(headers));
      return JSON.parse(body);
    });
  try {
    const endpoint = { url: receiver.url, secret: WEBHOOK_SECRET };
    await fixtures.control.request("POST", "/webhook_endpoints", endpoint);
    await run({ emulator, fixtures, receiver, events });
  } finally {
    await emulator.close();
    await receiver.close();
  }
}

/** Adds a member as an application does, within the limit: a new user unless one is named. */
export async function addMember(
  fixtures: ClerkFixtures,
  organizationId: string,
  { userId, role = "org:member" }: { userId?: string; role?: string } = {},
): Promise<OrganizationMembership> {
  return await fixtures.client.organizations.createOrganizationMembership({
    organizationId,
    userId: userId ?? (await fixtures.createUser()).id,
    role,
  });
}

/** Invites an address as an application does, within the limit; resolves to the invitation's id. */
export async function invite(
  { client }: ClerkFixtures,
  organizationId: string,
  emailAddress = `${crypto.randomUUID()}@example.com`,
): Promise<string> {
  const invitation = await client.organizations.createOrganizationInvitation({
    organizationId,
    emailAddress,
    role: "org:member",
  });
  return invitation.id;
}

/** Asserts that Clerk's SDK rejects with this status and error code; resolves to the error. */
export async function refused(call: Promise<unknown>, status: number, code: string) {
  const error = await call.then(
    () => assert.fail(`Expected ${status} ${code}, but the call succeeded`),
    (reason: unknown) => reason,
  );
  if (!isClerkAPIResponseError(error)) throw error;
  assert.equal(error.status, status);
  assert.equal(error.errors[0]?.code, code);
  return error;
}
