import { Hono } from "hono";
import { ApiError } from "./errors.ts";

/**
 * Routes below a path, to be added to. Their errors are the boundary's to answer, `not_found` (404)
 * where there is no route included.
 */
export function routesBelow(path: string): Hono {
  const app = new Hono().basePath(path);
  app.notFound(() => {
    throw ApiError.of("not_found", "There is no such route.");
  });
  app.onError((error) => {
    throw error;
  });
  return app;
}
