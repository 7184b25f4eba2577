import autocannon from "autocannon";

/** What is sent, again and again. */
export interface Load {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How many connections send at the same time, each one request after the other. */
  readonly connections: number;
  /** How many requests in all. */
  readonly amount: number;
}

/** The library has no types: what is used of it. */
const send: (load: Load) => Promise<{
  readonly "2xx": number;
  readonly non2xx: number;
  readonly errors: number;
}> = autocannon;

/** Sends a load of requests. Fails when one of them is not answered 2xx. */
export async function sendLoad(load: Load): Promise<void> {
  const { "2xx": answered, non2xx, errors } = await send(load);
  if (non2xx > 0 || errors > 0) {
    throw new Error(`${load.url}: ${answered} answered, ${non2xx} refused, ${errors} failed`);
  }
}
