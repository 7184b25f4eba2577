import { generateKeyPairSync } from "node:crypto";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { sign } from "hono/jwt";
import postgres from "postgres";
import { openDataApi } from "../../../local/data-api/data_api.ts";
import { takeDataFolder } from "../../../local/data_folder.ts";
import { listen } from "../../../local/emulation/listener.ts";
import { bootstrap } from "../../../local/postgres/bootstrap.ts";
import { startCluster } from "../../../local/postgres/cluster.ts";

const PUBLISHABLE_KEY = "sb_publishable_of_this_test";
const SECRET_KEY = "sb_secret_of_this_test";
const PASSWORD = "throw-away";

/** A Data API on a database without migrations, for whatever tables and functions a test needs. */
export interface ThrowAwayApi extends AsyncDisposable {
  url: string;
  sql: postgres.Sql;
  /** For the role `postgres`, which `sql` connects as. */
  databaseUrl: string;
  /** Has Postgres crash and recover. */
  crash(): Promise<void>;
  /** A client without a signed-in person. */
  anon: SupabaseClient;
  service: SupabaseClient;
  /** A client with a Clerk session token, made of these claims on top of valid ones. */
  signedIn(claims?: Record<string, unknown>): SupabaseClient;
  /** A client with a token that Clerk did not sign. */
  forged(): SupabaseClient;
}

/** Starts it, after running `ddl` as the role that migrations run as. */
export async function startThrowAwayApi(ddl: string): Promise<ThrowAwayApi> {
  await using parts = new AsyncDisposableStack();
  const folder = await takeDataFolder(null);
  parts.defer(folder.release);
  const cluster = await startCluster({ folder: folder.path, password: PASSWORD, durable: false });
  parts.defer(cluster.stop);
  await bootstrap(cluster, { postgres: PASSWORD, authenticator: PASSWORD });
  const databaseUrl = cluster.url("postgres", PASSWORD);
  const sql = postgres(databaseUrl, { onnotice: () => {} });
  parts.defer(() => sql.end());
  await sql.unsafe(ddl);
  const { publicKey, privateKey } = newKeys();
  const dataApi = await openDataApi({
    databaseUrl: cluster.url("authenticator", PASSWORD),
    publishableKey: PUBLISHABLE_KEY,
    secretKey: SECRET_KEY,
    clerkJwtKey: publicKey,
    jwtSecret: "a secret of this test only, long enough to sign with",
    log: () => {},
  });
  parts.defer(dataApi.close);
  const listener = await listen(dataApi.fetch);
  parts.defer(listener.close);
  const withToken = (claims: Record<string, unknown>, key: string) =>
    createClient(listener.url, PUBLISHABLE_KEY, { accessToken: () => clerkToken(claims, key) });
  const started = parts.move();
  return {
    url: listener.url,
    sql,
    databaseUrl,
    crash: cluster.crash,
    anon: createClient(listener.url, PUBLISHABLE_KEY),
    service: createClient(listener.url, SECRET_KEY),
    signedIn: (claims = {}) => withToken(claims, privateKey),
    forged: () => withToken({}, newKeys().privateKey),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

function newKeys(): { publicKey: string; privateKey: string } {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

/** A version 2 session token of the user `user_ada`, as Clerk makes it without its integration. */
function clerkToken(claims: Record<string, unknown>, key: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const valid = {
    v: 2,
    iss: "https://clerk.test",
    sub: "user_ada",
    iat: now,
    nbf: now - 10,
    exp: now + 60,
    o: { id: "org_acme", rol: "admin", slg: "acme" },
  };
  return sign({ ...valid, ...claims }, key, "RS256");
}
