import type { DeletedObjectJSON, EmailAddressJSON, UserJSON } from "@clerk/backend";
import { Hono } from "hono";
import { z } from "zod";
import { badParameter, identifierTaken } from "./errors.ts";
import { newId } from "./ids.ts";
import type { ClerkInstance } from "./instance.ts";
import {
  hasEmail,
  invitationStatus,
  membershipsOf,
  userByEmail,
  userById,
  userMatches,
} from "./lookups.ts";
import { membershipOrders, removeMembership } from "./memberships.ts";
import { metadataInput, pageOf, queryList, readBody } from "./requests.ts";
import { invitationJson, membershipJson } from "./views.ts";
import { causeOf, type EventCause } from "./webhooks.ts";

const createInput = z.object({
  email_address: z.array(z.email()).default([]),
  first_name: z.string().nullish(),
  last_name: z.string().nullish(),
  username: z.string().nullish(),
  external_id: z.string().nullish(),
  public_metadata: metadataInput.nullish(),
  private_metadata: metadataInput.nullish(),
  unsafe_metadata: metadataInput.nullish(),
});
const updateInput = createInput.omit({ email_address: true });

/** Creates a user. Throws a 422 when an e-mail address is another user's, or none is given. */
export function createUser(clerk: ClerkInstance, input: z.output<typeof createInput>): UserJSON {
  if (input.email_address.length === 0) {
    throw badParameter("form_param_missing", "email_address", "must be included.");
  }
  if (input.email_address.some((address) => userByEmail(clerk, address) !== undefined)) {
    throw identifierTaken("email_address");
  }
  const user = newUser(input);
  clerk.state.users.put(user);
  clerk.changed();
  return user;
}

/** Deletes a user and their memberships, each with its event. */
export function deleteUser(clerk: ClerkInstance, id: string, cause: EventCause): DeletedObjectJSON {
  userById(clerk, id);
  const { sessions, users } = clerk.state;
  for (const membership of membershipsOf(clerk, id)) removeMembership(clerk, membership, cause);
  for (const session of Object.values(sessions)) {
    if (session.user_id === id) delete sessions[session.id];
  }
  users.delete(id);
  clerk.changed();
  return { object: "user", id, deleted: true };
}

function newUser(input: z.output<typeof createInput>): UserJSON {
  const now = Date.now();
  const emails = input.email_address.map(newEmailAddress);
  return {
    object: "user",
    id: newId("user"),
    username: input.username ?? null,
    first_name: input.first_name ?? null,
    last_name: input.last_name ?? null,
    image_url: "https://img.clerk.com/emulated",
    has_image: false,
    primary_email_address_id: emails[0]?.id ?? null,
    primary_phone_number_id: null,
    primary_web3_wallet_id: null,
    password_enabled: false,
    two_factor_enabled: false,
    totp_enabled: false,
    backup_code_enabled: false,
    email_addresses: emails,
    phone_numbers: [],
    web3_wallets: [],
    organization_memberships: null,
    external_accounts: [],
    enterprise_accounts: [],
    password_last_updated_at: null,
    public_metadata: input.public_metadata ?? {},
    private_metadata: input.private_metadata ?? {},
    unsafe_metadata: input.unsafe_metadata ?? {},
    external_id: input.external_id ?? null,
    last_sign_in_at: null,
    banned: false,
    locked: false,
    lockout_expires_in_seconds: null,
    verification_attempts_remaining: null,
    created_at: now,
    updated_at: now,
    last_active_at: null,
    create_organization_enabled: true,
    create_organizations_limit: null,
    delete_self_enabled: true,
    legal_accepted_at: null,
    locale: null,
  };
}

function newEmailAddress(address: string): EmailAddressJSON {
  const id = newId("idn");
  return {
    object: "email_address",
    id,
    email_address: address,
    verification: {
      object: "email",
      id,
      status: "verified",
      strategy: "admin",
      attempts: null,
      expire_at: null,
    },
    linked_to: [],
  };
}

/** The API's `/v1/users`. */
export function userRoutes(clerk: ClerkInstance): Hono {
  const app = new Hono();
  const listed = (ids: string[], emails: string[], query: string | undefined) =>
    clerk.state.users.values().filter((user) =>
      (ids.length === 0 || ids.includes(user.id)) &&
      (emails.length === 0 || emails.some((address) => hasEmail(user, address))) &&
      (query === undefined || userMatches(user, query))
    ).toArray();
  app.get("/", (c) => {
    const users = listed(
      queryList(c, "user_id"),
      queryList(c, "email_address"),
      c.req.query("query"),
    );
    const page = pageOf(c, users, {
      created_at: (user) => user.created_at,
      updated_at: (user) => user.updated_at,
      email_address: (user) => user.email_addresses[0]?.email_address ?? "",
      first_name: (user) => user.first_name ?? "",
      last_name: (user) => user.last_name ?? "",
      username: (user) => user.username ?? "",
    });
    return c.json(page.data);
  });
  app.get("/count", (c) => {
    const users = listed(
      queryList(c, "user_id"),
      queryList(c, "email_address"),
      c.req.query("query"),
    );
    return c.json({ object: "total_count", total_count: users.length });
  });
  app.post("/", async (c) => c.json(createUser(clerk, await readBody(c, createInput))));
  app.get("/:id", (c) => c.json(userById(clerk, c.req.param("id"))));
  app.patch("/:id", async (c) => {
    const input = await readBody(c, updateInput);
    const user = userById(clerk, c.req.param("id"));
    for (const [key, value] of Object.entries(input)) {
      if (value !== undefined) Object.assign(user, { [key]: value });
    }
    user.updated_at = Date.now();
    clerk.changed();
    return c.json(user);
  });
  app.delete("/:id", (c) => c.json(deleteUser(clerk, c.req.param("id"), causeOf(c))));
  app.get("/:id/organization_memberships", (c) => {
    const user = userById(clerk, c.req.param("id"));
    const memberships = membershipsOf(clerk, user.id);
    const { data, total_count } = pageOf(c, memberships, membershipOrders(clerk));
    return c.json({ data: data.map((one) => membershipJson(clerk, one)), total_count });
  });
  app.get("/:id/organization_invitations", (c) => {
    const user = userById(clerk, c.req.param("id"));
    const statuses = queryList(c, "status");
    const invitations = clerk.state.invitations.values().filter((invitation) =>
      hasEmail(user, invitation.email_address) &&
      (statuses.length === 0 || statuses.includes(invitationStatus(invitation)))
    ).toArray();
    const page = pageOf(c, invitations, { created_at: (one) => one.created_at });
    return c.json({
      data: page.data.map((one) => invitationJson(clerk, one)),
      total_count: page.total_count,
    });
  });
  return app;
}
