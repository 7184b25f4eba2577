/**
 * How often a race is run: a few times with every `npm test`, and as often as RACE_ROUNDS says where
 * somebody has the time.
 */
export const ROUNDS = Number(Deno.env.get("RACE_ROUNDS") ?? 8);
