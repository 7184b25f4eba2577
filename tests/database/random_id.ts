/** An id as the providers write theirs, that no other test uses: `org_…`. */
export function randomId(prefix: string): string {
  return `${prefix}_${randomToken()}`;
}

/** Letters and digits that no other test uses. */
export function randomToken(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
