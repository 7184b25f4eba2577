import { Hono } from "hono";
import type { DataApi } from "../data-api/data_api.ts";
import { listen, type Listener } from "../emulation/listener.ts";
import type { Functions } from "./functions.ts";

/** What stands behind the gateway. */
export interface Backend {
  dataApi: DataApi;
  functions: Functions;
}

/** The one address that a client of the project knows. */
export interface Gateway extends Listener {
  /** Begins to answer. Until then, everything gets a 503. */
  open(backend: Backend): void;
}

/**
 * Listens, on `port` if it is free, for what hosted Supabase has at one address: the Data API under
 * `/rest/v1`, the functions under `/functions/v1/<name>`.
 *
 * It listens before anything stands behind it, because what stands behind it must know its address.
 */
export async function startGateway(port?: number): Promise<Gateway> {
  let handler: (request: Request) => Response | Promise<Response> = () =>
    Response.json({ message: "The stack is starting" }, { status: 503 });
  const listener = await listen((request) => handler(request), port);
  return {
    ...listener,
    open: (backend) => {
      handler = routes(backend).fetch;
    },
  };
}

function routes({ dataApi, functions }: Backend): Hono {
  const app = new Hono();
  app.all("/rest/v1/*", ({ req }) => dataApi.fetch(req.raw));
  for (const path of ["/functions/v1/:name", "/functions/v1/:name/*"]) {
    app.all(path, ({ req }) => functions.fetch(req.param("name") ?? "", req.raw));
  }
  return app;
}
