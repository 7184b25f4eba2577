import { connectDatabase } from "../_shared/database.ts";
import { hasSecretKey } from "../_shared/secret_key.ts";
import { createHandler } from "./handler.ts";

const database = connectDatabase();
const handle = {
  secret: createHandler({ database }, "secret key"),
  none: createHandler({ database }, "nothing"),
};

export default {
  fetch: async (request: Request) =>
    await hasSecretKey(request) ? await handle.secret(request) : await handle.none(request),
};
