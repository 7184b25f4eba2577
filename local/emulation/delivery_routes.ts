import { Hono } from "hono";
import { z } from "zod";
import type { Deliveries } from "./deliveries.ts";

const match = { contains: z.string().optional(), type: z.string().optional() };
const order = z.enum(["fifo", "lifo", "shuffled"]).default("fifo");
const deliveryState = z.enum(["pending", "delivered", "failed", "dropped", "held"]);
const listInput = z.object({ ...match, status: deliveryState.optional() });
const settleInput = z.strictObject({ ...match, timeoutMs: z.number().min(0).default(30_000) });
const releaseInput = z.strictObject({ ...match, order });
const replayInput = z.strictObject({ ...match, times: z.int().min(1).default(1), order });
const retryInput = z.strictObject(match);

/**
 * Control routes, to be mounted at `/_emulator/deliveries`. Wrong input is answered with 400.
 *
 * - `GET /?contains=&type=&status=` lists deliveries.
 * - `POST /settle { contains?, type?, timeoutMs? }` answers 204 as soon as no matching delivery is
 *   pending; 408, with those that are, after the timeout.
 * - `POST /policies { contains?, type?, kind, times?, share?, seed?, delayMs?, copies? }` → `{ id }`;
 *   `GET` lists the policies; `DELETE` removes all of them or, at `/policies/:id`, one.
 * - `POST /release { contains?, type?, order? }` sends the held ones, one after the other.
 * - `POST /replay { contains?, type?, times?, order? }` sends past events again and answers how each
 *   one was answered.
 * - `POST /retry { contains?, type? }` makes waiting retries due now → `{ retried }`.
 */
export function deliveryRoutes(deliveries: Deliveries): Hono {
  const app = new Hono();
  app.onError((error, c) => c.json({ error: error.message }, 400));
  app.get("/", (c) => {
    const { status, ...filter } = listInput.parse(c.req.query());
    return c.json(deliveries.list({ ...filter, state: status }));
  });
  app.post("/settle", async (c) => {
    const { timeoutMs, ...filter } = settleInput.parse(await c.req.json());
    if (await deliveries.settle(filter, timeoutMs)) return c.body(null, 204);
    return c.json(deliveries.list({ ...filter, state: "pending" }), 408);
  });
  app.post("/release", async (c) => {
    const { order, ...filter } = releaseInput.parse(await c.req.json());
    return c.json(await deliveries.release(filter, order));
  });
  app.post("/replay", async (c) => {
    const { order, times, ...filter } = replayInput.parse(await c.req.json());
    return c.json(await deliveries.replay(filter, times, order));
  });
  app.post("/retry", async (c) => {
    return c.json({ retried: deliveries.retry(retryInput.parse(await c.req.json())) });
  });
  app.get("/policies", (c) => c.json(deliveries.policies.list()));
  app.post(
    "/policies",
    async (c) => c.json({ id: deliveries.policies.add(await c.req.json()).id }),
  );
  app.delete("/policies", (c) => {
    deliveries.policies.clear();
    return c.body(null, 204);
  });
  app.delete(
    "/policies/:id",
    (c) => c.body(null, deliveries.policies.remove(c.req.param("id")) ? 204 : 404),
  );
  return app;
}
