import { App } from "@supabase/lite";
import { exchangeClerkToken, type TokenKeys } from "./clerk_tokens.ts";
import { connectDatabase } from "./database_connection.ts";

/** What the Data API stands on. */
export interface DataApiOptions extends TokenKeys {
  /** Address of the migrated database, for the role `authenticator`. */
  databaseUrl: string;
  /** The key whose bearer is `anon`, or with a Clerk token `authenticated`. */
  publishableKey: string;
  /** The key whose bearer is `service_role`. */
  secretKey: string;
  log: (line: string) => void;
}

/** The Data API: `fetch` answers what lies under `/rest/v1`. */
export interface DataApi {
  fetch(request: Request): Promise<Response>;
  close(): Promise<void>;
}

/**
 * Opens the Data API on a database: @supabase/lite in the place of PostgREST, and in front of it
 * the check of Clerk's tokens that hosted Supabase makes when Clerk is its third-party provider.
 */
export async function openDataApi(options: DataApiOptions): Promise<DataApi> {
  const connection = await connectDatabase(options.databaseUrl, options.log);
  const app = new App({
    connection,
    api: { enabled: true, schemas: ["public"] },
    auth: {
      enabled: false,
      jwt_secret: options.jwtSecret,
      publishable_key: options.publishableKey,
      secret_key: options.secretKey,
    },
    // Admin mode would serve requests without a key as service_role.
    options: { server: { admin: false, disableStudio: true } },
  });
  await app.init();
  return {
    fetch: async (request) => {
      const token = bearerToken(request);
      if (token === null) return app.fetch(request);
      const exchanged = await exchangeClerkToken(token, options);
      if (exchanged === null) return refuseToken();
      const headers = new Headers(request.headers);
      headers.set("authorization", `Bearer ${exchanged}`);
      const { url, method, body } = request;
      return app.fetch(new Request(url, { method, headers, body }));
    },
    close: () => connection.close(),
  };
}

/** The token of a signed-in person; supabase-js sends its key the same way when there is none. */
function bearerToken(request: Request): string | null {
  const token = request.headers.get("authorization")?.match(/^Bearer\s+(\S+)$/i)?.[1];
  return token === undefined || token.startsWith("sb_") ? null : token;
}

function refuseToken(): Response {
  const body = { code: "PGRST301", message: "JWT is not valid", details: null, hint: null };
  return Response.json(body, {
    status: 401,
    headers: { "access-control-allow-origin": "*", "www-authenticate": "Bearer" },
  });
}
