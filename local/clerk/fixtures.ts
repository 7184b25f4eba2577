import {
  type ClerkClient,
  createClerkClient,
  type Organization,
  type OrganizationInvitationJSON,
  type OrganizationMembershipJSON,
  type User,
} from "@clerk/backend";
import { EmulatorControl } from "../emulation/control.ts";

/** Where the emulator is, by the names that the stack prints. */
export interface ClerkFixtureEnv {
  CLERK_API_URL: string;
  CLERK_SECRET_KEY: string;
}

/** Whom and what a token is for. */
export interface TokenRequest {
  userId: string;
  /** The organization that the user works in; the one joined last when left out. */
  organizationId?: string;
  /** 60 when left out; below zero for a token that has expired. */
  expiresInSeconds?: number;
  /** The origin of the application. */
  azp?: string;
}

/** Somebody who was added to an organization, in the words of the SDK's memberships. */
export interface AddedMember {
  readonly id: string;
  readonly role: string;
  readonly publicUserData: { readonly userId: string; readonly identifier: string };
}

/**
 * Short ways to people, organizations and tokens, for tests, the demo and the stack: through the
 * official SDK, and through the emulator's control routes for what a browser would do.
 */
export class ClerkFixtures {
  readonly client: ClerkClient;
  readonly control: EmulatorControl;

  constructor(env: ClerkFixtureEnv) {
    this.client = createClerkClient({ secretKey: env.CLERK_SECRET_KEY, apiUrl: env.CLERK_API_URL });
    this.control = new EmulatorControl(env.CLERK_API_URL);
  }

  /** Creates a user; the e-mail address is one that nobody else has unless it is given. */
  createUser(input: { email?: string; firstName?: string; lastName?: string } = {}): Promise<User> {
    const { email, firstName = "Test", lastName = "Person" } = input;
    const address = email ?? `${crypto.randomUUID()}@example.com`;
    return this.client.users.createUser({ emailAddress: [address], firstName, lastName });
  }

  /** Creates an organization and, unless one is named, the user who becomes its admin. */
  async createOrganization(
    input: { name?: string; createdBy?: string; maxAllowedMemberships?: number } = {},
  ): Promise<{ organization: Organization; adminId: string }> {
    const adminId = input.createdBy ?? (await this.createUser()).id;
    const { name = "Test organization", maxAllowedMemberships = 0 } = input;
    const organization = await this.client.organizations.createOrganization({
      name,
      createdBy: adminId,
      maxAllowedMemberships,
    });
    return { organization, adminId };
  }

  /**
   * Adds a member, a new user unless one is named, also past the organization's limit: for what is
   * refused there use the client.
   */
  async addMember(
    organizationId: string,
    input: { userId?: string; role?: string } = {},
  ): Promise<AddedMember> {
    const userId = input.userId ?? (await this.createUser()).id;
    const { id, role, public_user_data } = await this.control.request<OrganizationMembershipJSON>(
      "POST",
      "/memberships",
      { organizationId, userId, role: input.role },
    );
    return { id, role, publicUserData: { userId, identifier: public_user_data?.identifier ?? "" } };
  }

  /**
   * Invites an address, a new one unless it is given, also past the organization's limit; resolves
   * to the invitation's id.
   */
  async invite(organizationId: string, emailAddress?: string, role?: string): Promise<string> {
    const { id } = await this.control.request<OrganizationInvitationJSON>("POST", "/invitations", {
      organizationId,
      emailAddress: emailAddress ?? `${crypto.randomUUID()}@example.com`,
      role,
    });
    return id;
  }

  /** Lets the invitee accept (signing them up if need be); resolves to the user's id. */
  async acceptInvitation(invitationId: string, userId?: string): Promise<string> {
    const path = `/invitations/${invitationId}/accept`;
    const accepted = await this.control.request<{ userId: string }>("POST", path, { userId });
    return accepted.userId;
  }

  /** Lets an invitation's time run out. */
  async expireInvitation(invitationId: string): Promise<void> {
    await this.control.request("POST", `/invitations/${invitationId}/expire`);
  }

  /** Signs the user in and resolves to a session token. */
  async sessionToken(request: TokenRequest): Promise<string> {
    return (await this.control.request<{ jwt: string }>("POST", "/tokens", request)).jwt;
  }
}
