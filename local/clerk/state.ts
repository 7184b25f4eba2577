import type { UserJSON } from "@clerk/backend";
import type { DeliveriesState } from "../emulation/delivery_records.ts";
import { Records } from "../emulation/records.ts";
import { newId } from "./ids.ts";

/** Metadata as Clerk keeps it: whatever the application puts there. */
export type Metadata = Record<string, unknown>;

/** An organization, without what is counted when it is asked for. */
export interface OrganizationRecord {
  id: string;
  name: string;
  readonly slug: string;
  max_allowed_memberships: number;
  admin_delete_enabled: boolean;
  public_metadata: Metadata;
  private_metadata: Metadata;
  created_by: string | null;
  created_at: number;
  updated_at: number;
}

/** A membership; organization and user are looked up when it is shown. */
export interface MembershipRecord {
  id: string;
  readonly organization_id: string;
  user_id: string;
  role: string;
  public_metadata: Metadata;
  private_metadata: Metadata;
  created_at: number;
  updated_at: number;
}

/** An invitation. `pending` past `expires_at` reads as expired. */
export interface InvitationRecord {
  id: string;
  readonly organization_id: string;
  email_address: string;
  role: string;
  inviter_id: string | null;
  status: "pending" | "accepted" | "revoked";
  public_metadata: Metadata;
  private_metadata: Metadata;
  created_at: number;
  updated_at: number;
  expires_at: number;
}

/** A signed-in user's session. */
export interface SessionRecord {
  id: string;
  user_id: string;
  status: "active" | "revoked";
  last_active_organization_id: string | null;
  created_at: number;
  updated_at: number;
}

/** Where webhooks go. */
export interface WebhookEndpoint {
  id: string;
  url: string;
  /** `whsec_…` */
  secret: string;
}

/** Everything the emulator knows; all of it survives a restart. */
export interface ClerkState extends DeliveriesState {
  instanceId: string;
  /** PKCS #8 PEM of the key that signs session tokens; made at the first start. */
  signingKey: string | null;
  /** By e-mail address, in lower case. */
  users: Records<UserJSON>;
  /** By slug. */
  organizations: Records<OrganizationRecord>;
  /** By organization, like the invitations. */
  memberships: Records<MembershipRecord>;
  invitations: Records<InvitationRecord>;
  sessions: Record<string, SessionRecord>;
  webhookEndpoints: Record<string, WebhookEndpoint>;
}

/** The state of an instance in which nothing has happened. */
export function emptyState(): ClerkState {
  return {
    instanceId: newId("ins"),
    signingKey: null,
    users: new Records(({ email_addresses: emails }) =>
      emails.map(({ email_address }) => email_address.toLowerCase())
    ),
    organizations: new Records(({ slug }) => [slug]),
    memberships: new Records(({ organization_id }) => [organization_id]),
    invitations: new Records(({ organization_id }) => [organization_id]),
    sessions: {},
    webhookEndpoints: {},
    deliveries: [],
  };
}
