import { Buffer } from "node:buffer";
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { FEATURE, FEATURE_PERMISSIONS, roleByKey } from "./roles.ts";
import type { MembershipRecord, OrganizationRecord, SessionRecord } from "./state.ts";

/** The origin that tokens name as their authorised party unless told otherwise. */
export const DEFAULT_AUTHORIZED_PARTY = "http://localhost:3000";
/** How long a session token lives unless told otherwise, as Clerk's do. */
export const DEFAULT_LIFETIME_SECONDS = 60;

/** Signs tokens, and shows the key that they verify with. */
export interface Signer {
  /** PEM (SPKI), what Clerk's dashboard calls the JWKS public key. */
  readonly publicKey: string;
  readonly jwks: { keys: JsonWebKeyEntry[] };
  sign(claims: object): string;
}

/** A key as `/v1/jwks` lists it. */
export interface JsonWebKeyEntry {
  use: "sig";
  kty: string;
  kid: string;
  alg: "RS256";
  n: string;
  e: string;
}

/** A fresh RSA key as PKCS #8 PEM. */
export function newSigningKey(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Builds a signer from a PKCS #8 PEM; `kid` names the key in tokens and in the JWKS. */
export function createSigner(pem: string, kid: string): Signer {
  const privateKey = createPrivateKey(pem);
  const publicKey = createPublicKey(privateKey);
  return {
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    jwks: { keys: [jwkEntry(publicKey, kid)] },
    sign: (claims) => {
      // `cat` is the category that Clerk's SDK reads as "session token".
      const header = { alg: "RS256", cat: "cl_B7d4PD111AAA", kid, typ: "JWT" };
      const input = `${encode(header)}.${encode(claims)}`;
      const signature = sign("RSA-SHA256", Buffer.from(input), privateKey);
      return `${input}.${signature.toString("base64url")}`;
    },
  };
}

function jwkEntry(publicKey: KeyObject, kid: string): JsonWebKeyEntry {
  const { kty = "", n = "", e = "" } = publicKey.export({ format: "jwk" });
  return { use: "sig", kty, kid, alg: "RS256", n, e };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** The organization that a session is working in. */
export interface ActiveOrganization {
  organization: OrganizationRecord;
  membership: MembershipRecord;
}

/** What a token is made of. */
export interface TokenInput {
  issuer: string;
  session: SessionRecord;
  active: ActiveOrganization | null;
  lifetimeSeconds: number;
  authorizedParty: string;
}

/** The claims of a session token, version 2. */
export interface SessionClaims {
  v: 2;
  iss: string;
  sub: string;
  sid: string;
  azp: string;
  iat: number;
  nbf: number;
  exp: number;
  jti: string;
  fva: [number, number];
  sts: "active";
  /** What Clerk's Supabase integration adds: the database role. */
  role: "authenticated";
  /** The organization's features, when one is active. */
  fea?: string;
  o?: OrganizationClaims;
}

/** The active organization, as a token has it. */
export interface OrganizationClaims {
  id: string;
  slg: string;
  /** Without its `org:` prefix. */
  rol: string;
  per: string;
  fpm: string;
}

/**
 * The claims of a version 2 session token (clerk.com/docs/guides/sessions/session-tokens) for
 * this moment.
 */
export function sessionClaims(input: TokenInput): SessionClaims {
  const now = Math.floor(Date.now() / 1000);
  return {
    v: 2,
    iss: input.issuer,
    sub: input.session.user_id,
    sid: input.session.id,
    azp: input.authorizedParty,
    iat: now,
    nbf: now - 10,
    exp: now + input.lifetimeSeconds,
    jti: crypto.randomUUID().replaceAll("-", "").slice(0, 20),
    fva: [0, -1],
    sts: "active",
    role: "authenticated",
    ...(input.active && { fea: `o:${FEATURE}`, o: organizationClaims(input.active) }),
  };
}

function organizationClaims({ organization, membership }: ActiveOrganization): OrganizationClaims {
  const { permissions } = roleByKey(membership.role);
  // `fpm` has one number a feature; its bits say which of `per` the role has.
  const map = FEATURE_PERMISSIONS.reduce(
    (bits, permission, index) =>
      permissions.includes(`org:${FEATURE}:${permission}`) ? bits | (1 << index) : bits,
    0,
  );
  return {
    id: organization.id,
    slg: organization.slug,
    rol: membership.role.replace(/^org:/, ""),
    per: FEATURE_PERMISSIONS.join(","),
    fpm: String(map),
  };
}
