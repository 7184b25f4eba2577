import { fileURLToPath } from "node:url";

/** The folder that this checkout lies in, without a trailing slash. */
export const CHECKOUT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Everything that can be thrown away: caches, and the data of throw-away stacks. */
export const CACHE = `${CHECKOUT}/.cache`;

/** What a process that we start finds its own programs with. */
export const PATH = Deno.env.get("PATH") ?? "/usr/local/bin:/usr/bin:/bin";
