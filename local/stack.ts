import type { Assembly, Ports } from "./assembly.ts";
import { publishCatalogue } from "./catalogue.ts";
import { DEFAULT_AUTHORIZED_PARTY } from "./clerk/tokens.ts";
import { openDataApi } from "./data-api/data_api.ts";
import { takeDataFolder } from "./data_folder.ts";
import { EmulatorControl } from "./emulation/control.ts";
import { Functions } from "./functions/functions.ts";
import { startGateway } from "./functions/gateway.ts";
import { loadKeys } from "./keys.ts";
import { CHECKOUT } from "./paths.ts";
import { bootstrap } from "./postgres/bootstrap.ts";
import { type Cluster, startCluster } from "./postgres/cluster.ts";
import { migrate } from "./postgres/migrate.ts";
import { startClerk, startStripe, stripeClient } from "./providers.ts";
import { functionEnvironment, type StackEnv } from "./stack_env.ts";

/** How a stack is to run. */
export interface StackOptions {
  /** Where it keeps its data between runs; null gives it a folder that is removed on stop. */
  dataDir: string | null;
  /**
   * Whether Postgres keeps what it has committed when it crashes, at the cost of waiting for the disk.
   * In a stack that keeps its data between runs it always does.
   */
  durable?: boolean;
  /** The ports that Supabase's own tools use, where they are free; or any free ones. */
  ports?: "usual" | "free";
  /** Whether a saved file of a function takes effect at once. */
  watch?: boolean;
  log?: (line: string) => void;
}

/** A running stack. */
export interface Stack {
  env: StackEnv;
  /** Kills the function `name` in the middle of what it does; the next request starts it again. */
  crashFunction(name: string): Promise<void>;
  /** Has Postgres crash and recover. Every connection to it breaks. */
  crashDatabase(): Promise<void>;
  /** Ends every part, in order. Resolves when no process of it is left. */
  stop(): Promise<void>;
}

const USUAL_PORTS: Ports = { gateway: 54321, postgres: 54322, stripe: 54323, clerk: 54324 };
const FREE_PORTS: Ports = { gateway: 0, postgres: 0, stripe: 0, clerk: 0 };
// The origin that the Clerk emulator's tokens name, too.
const SITE_URL = DEFAULT_AUTHORIZED_PARTY;

/**
 * Starts everything that the product runs on: Postgres, migrated; the Data API; the Stripe and the
 * Clerk emulator, with the catalogue and the webhook endpoints; the functions; the gateway.
 *
 * Resolves when requests are answered; the functions still start in the background. Rejects, with
 * nothing left running, when a part can't start, a migration fails, or another stack has `dataDir`.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  await using parts = new AsyncDisposableStack();
  const { path: folder, release } = await takeDataFolder(options.dataDir);
  parts.defer(release);
  const assembly: Assembly = {
    folder,
    keys: await loadKeys(folder),
    ports: options.ports === "usual" ? USUAL_PORTS : FREE_PORTS,
    isKept: options.dataDir !== null,
    durable: options.dataDir !== null || (options.durable ?? false),
    log: options.log ?? (() => {}),
    parts,
  };
  const { env, functions, cluster } = await assemble(assembly, options.watch ?? false);
  const started = parts.move();
  return {
    env,
    crashFunction: (name) => functions.crash(name),
    crashDatabase: () => cluster.crash(),
    stop: () => started.disposeAsync(),
  };
}

async function assemble(
  assembly: Assembly,
  watch: boolean,
): Promise<{ env: StackEnv; functions: Functions; cluster: Cluster }> {
  const { keys, log, parts } = assembly;
  const gateway = await startGateway(assembly.ports.gateway);
  parts.defer(gateway.close);
  const hooks = `${gateway.url}/functions/v1`;
  const [cluster, stripe, clerk] = await everyOne([
    startDatabase(assembly),
    startStripe(assembly, `${hooks}/stripe-webhook`),
    startClerk(assembly, `${hooks}/clerk-webhook`),
  ]);
  const databaseUrl = cluster.url("postgres", keys.postgresPassword);
  const dataApi = await openDataApi({
    databaseUrl: cluster.url("authenticator", keys.authenticatorPassword),
    publishableKey: keys.supabasePublishableKey,
    secretKey: keys.supabaseSecretKey,
    clerkJwtKey: clerk.jwtKey,
    jwtSecret: keys.jwtSecret,
    log,
  });
  parts.defer(dataApi.close);
  const env: StackEnv = {
    SUPABASE_URL: gateway.url,
    SUPABASE_PUBLISHABLE_KEY: keys.supabasePublishableKey,
    SUPABASE_SECRET_KEY: keys.supabaseSecretKey,
    DATABASE_URL: databaseUrl,
    STRIPE_API_BASE: stripe.url,
    STRIPE_SECRET_KEY: keys.stripeSecretKey,
    STRIPE_WEBHOOK_SECRET: stripe.webhookSecret,
    CLERK_API_URL: clerk.url,
    CLERK_SECRET_KEY: keys.clerkSecretKey,
    CLERK_PUBLISHABLE_KEY: keys.clerkPublishableKey,
    CLERK_JWT_KEY: clerk.jwtKey,
    CLERK_WEBHOOK_SIGNING_SECRET: keys.clerkWebhookSecret,
    SITE_URL,
  };
  const functions = new Functions({
    folder: `${CHECKOUT}/supabase/functions`,
    env: functionEnvironment(env),
    jwtSecret: keys.jwtSecret,
    watch,
    log,
  });
  parts.defer(() => functions.stop());
  gateway.open({ dataApi, functions });
  await publishCatalogue(
    { url: env.SUPABASE_URL, secretKey: env.SUPABASE_SECRET_KEY },
    stripeClient(env.STRIPE_API_BASE, env.STRIPE_SECRET_KEY),
  );
  functions.warmUp();
  // What an earlier run left undelivered found the gateway closed until now.
  for (const url of [stripe.url, clerk.url]) await new EmulatorControl(url).retry();
  return { env, functions, cluster };
}

async function startDatabase(
  { folder, keys, ports, durable, log, parts }: Assembly,
): Promise<Cluster> {
  const cluster = await startCluster({
    folder,
    password: keys.postgresPassword,
    durable,
    preferredPort: ports.postgres,
    log: (line) => log(`[postgres] ${line}`),
  });
  parts.defer(cluster.stop);
  await bootstrap(cluster, {
    postgres: keys.postgresPassword,
    authenticator: keys.authenticatorPassword,
  });
  await migrate(cluster.url("postgres", keys.postgresPassword));
  return cluster;
}

/** Waits for all of them even when one fails: what comes up later must be ended as well. */
async function everyOne<T extends unknown[]>(
  starting: { [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  await Promise.allSettled(starting);
  return await Promise.all(starting) as T;
}
