/** Whether somebody has the time for long races. */
export const IS_LONG = Deno.env.has("RACE_ROUNDS");

/** How often a race is run: a few times with every `npm test`, or as often as RACE_ROUNDS says. */
export const ROUNDS = Number(Deno.env.get("RACE_ROUNDS") ?? 4);
