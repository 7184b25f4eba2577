import { randomBytes } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Letters and digits at random, `length` of them. */
export function randomText(length: number): string {
  return Array.from(randomBytes(length), (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

/** A new id with the prefix that Stripe gives this kind of object ("cus", "sub", …). */
export function newId(prefix: string): string {
  return `${prefix}_${randomText(24)}`;
}
