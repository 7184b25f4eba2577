import { Hono } from "hono";
import { z } from "zod";
import { newId } from "./ids.ts";
import type { ClerkInstance } from "./instance.ts";
import { acceptInvitation, createInvitations } from "./invitations.ts";
import { invitationById, organizationById, userByEmail, userById } from "./lookups.ts";
import { addMembership } from "./memberships.ts";
import { readBody } from "./requests.ts";
import { createSession, sessionToken } from "./sessions.ts";
import { createUser } from "./users.ts";
import { invitationJson, membershipJson } from "./views.ts";
import { causeOf } from "./webhooks.ts";

const endpointInput = z.strictObject({
  url: z.url(),
  secret: z.string().regex(/^whsec_/),
});
const acceptInput = z.strictObject({ userId: z.string().optional() });
const memberInput = z.strictObject({
  organizationId: z.string(),
  userId: z.string(),
  role: z.string().default("org:member"),
});
const inviteInput = z.strictObject({
  organizationId: z.string(),
  emailAddress: z.email(),
  role: z.string().default("org:member"),
});
const tokenInput = z.strictObject({
  userId: z.string(),
  organizationId: z.string().optional(),
  expiresInSeconds: z.int().optional(),
  azp: z.string().optional(),
});

/**
 * What a dashboard or a browser would do at Clerk's, as routes below `/_emulator`:
 *
 * - `POST /webhook_endpoints { url, secret }` → `{ id, url }`: adds an endpoint or, for a known URL,
 *   replaces its secret; `GET` lists them; `DELETE` removes one (`/:id`) or all.
 * - `POST /memberships { organizationId, userId, role? }` → the membership, and
 *   `POST /invitations { organizationId, emailAddress, role? }` → the invitation: past the
 *   organization's limit as well. Nothing says that every way into one asks for its limit: a
 *   connection that provisions people, or a limit that was lowered or pushed too late.
 * - `POST /invitations/:id/accept { userId? }` → `{ userId, membership }`: the invitee accepts:
 *   the user named, or the one with the invited address, who signs up if need be.
 * - `POST /invitations/:id/expire`: its time is over; like Clerk, without an event.
 * - `POST /tokens { userId, organizationId?, expiresInSeconds?, azp? }` → `{ jwt, sessionId }`:
 *   signs the user in, working in that organization (or the one joined last). A time in the past
 *   makes an expired token.
 *
 * Errors are Clerk's own.
 */
export function controlRoutes(clerk: ClerkInstance): Hono {
  const app = new Hono();
  const { webhookEndpoints } = clerk.state;
  app.get(
    "/webhook_endpoints",
    (c) => c.json(Object.values(webhookEndpoints).map(({ id, url }) => ({ id, url }))),
  );
  app.post("/webhook_endpoints", async (c) => {
    const { url, secret } = await readBody(c, endpointInput);
    const known = Object.values(webhookEndpoints).find((endpoint) => endpoint.url === url);
    const id = known?.id ?? newId("ep");
    webhookEndpoints[id] = { id, url, secret };
    clerk.changed();
    return c.json({ id, url });
  });
  app.delete("/webhook_endpoints/:id?", (c) => {
    const only = c.req.param("id");
    for (const id of Object.keys(webhookEndpoints)) {
      if (only === undefined || only === id) delete webhookEndpoints[id];
    }
    clerk.changed();
    return c.body(null, 204);
  });
  app.post("/memberships", async (c) => {
    const { organizationId, userId, role } = await readBody(c, memberInput);
    const { id } = organizationById(clerk, organizationId);
    const input = { organization_id: id, user_id: userId, role };
    return c.json(membershipJson(clerk, addMembership(clerk, input, causeOf(c))));
  });
  app.post("/invitations", async (c) => {
    const { organizationId, emailAddress, role } = await readBody(c, inviteInput);
    const inputs = [{ email_address: emailAddress, role }];
    const [created] = createInvitations(clerk, organizationId, inputs, causeOf(c), "ignored");
    return c.json(created && invitationJson(clerk, created));
  });
  app.post("/invitations/:id/accept", async (c) => {
    const { userId } = await readBody(c, acceptInput);
    const invitation = invitationById(clerk, c.req.param("id"));
    const user = userId === undefined
      ? userByEmail(clerk, invitation.email_address) ??
        createUser(clerk, { email_address: [invitation.email_address] })
      : userById(clerk, userId);
    const membership = acceptInvitation(clerk, invitation, user.id, causeOf(c));
    return c.json({ userId: user.id, membership: membershipJson(clerk, membership) });
  });
  app.post("/invitations/:id/expire", (c) => {
    const invitation = invitationById(clerk, c.req.param("id"));
    invitation.expires_at = Date.now();
    clerk.changed();
    return c.json(invitationJson(clerk, invitation));
  });
  app.post("/tokens", async (c) => {
    const { userId, organizationId, expiresInSeconds, azp } = await readBody(c, tokenInput);
    const session = createSession(clerk, userId, organizationId);
    const jwt = sessionToken(clerk, session, { expiresInSeconds, authorizedParty: azp });
    return c.json({ jwt, sessionId: session.id });
  });
  return app;
}
