import { listen, type Listener } from "../../../local/emulation/listener.ts";

/** One request that a receiver got. */
export interface Received {
  headers: Headers;
  body: string;
}

/** A webhook endpoint for tests, on a port of its own. */
export interface Receiver extends Listener {
  received: Received[];
  /** Statuses for the next requests; 200 once they are used up. */
  answers: number[];
}

/** Starts an endpoint that records what it gets. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers: number[] = [];
  const listener = await listen(async (request) => {
    received.push({ headers: request.headers, body: await request.text() });
    const status = answers.shift() ?? 200;
    return new Response(null, { status, headers: status === 302 ? { location: "/" } : {} });
  });
  return { ...listener, received, answers };
}
