import { notFound } from "./errors.ts";

/** A role of the emulated instance. */
export interface Role {
  /** With its prefix, as the API has it. */
  key: string;
  name: string;
  permissions: string[];
}

/** The permission without which nobody invites or removes people. */
export const MANAGE_MEMBERSHIPS = "org:sys_memberships:manage";

/**
 * What at least one member of every organization must be allowed (Clerk: organizations, invalid
 * states).
 */
const MINIMUM_PERMISSIONS = [
  "org:sys_memberships:read",
  MANAGE_MEMBERSHIPS,
  "org:sys_profile:delete",
];

/** The one custom feature of the instance, so that tokens carry permissions as a real one's do. */
export const FEATURE = "billing";
/** The custom permissions of the feature, in the order of a token's `per`. */
export const FEATURE_PERMISSIONS = ["read", "manage"] as const;

const ROLES: readonly Role[] = [
  {
    key: "org:admin",
    name: "Admin",
    permissions: [
      "org:sys_profile:manage",
      "org:sys_profile:delete",
      "org:sys_memberships:read",
      MANAGE_MEMBERSHIPS,
      `org:${FEATURE}:read`,
      `org:${FEATURE}:manage`,
    ],
  },
  {
    key: "org:member",
    name: "Member",
    permissions: ["org:sys_memberships:read", `org:${FEATURE}:read`],
  },
  // A custom role, for products whose auditors need no seat.
  {
    key: "org:auditor",
    name: "Auditor",
    permissions: ["org:sys_memberships:read", `org:${FEATURE}:read`],
  },
];

/** The role with this key. Throws a 404 that names the parameter where there is none. */
export function roleByKey(key: string): Role {
  const role = ROLES.find((one) => one.key === key);
  if (role === undefined) throw notFound("Organization role not found", { param_name: "role" });
  return role;
}

/** Says whether one member with this role is enough to manage an organization. */
export function canManage(key: string): boolean {
  const { permissions } = roleByKey(key);
  return MINIMUM_PERMISSIONS.every((permission) => permissions.includes(permission));
}
