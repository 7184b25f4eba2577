import { CACHE } from "../../../local/paths.ts";
import { Functions } from "../../../local/functions/functions.ts";
import { startGateway } from "../../../local/functions/gateway.ts";

export const JWT_SECRET = "a secret of this test only, long enough to sign with";

/** A folder of functions that a test may write into, behind a gateway of its own. */
export interface SampleFunctions extends AsyncDisposable {
  /** Address of a function. */
  url(path: string): string;
  /** What the functions' log holds so far. */
  lines: string[];
  /** Writes `index.ts` of a function. */
  write(name: string, source: string): Promise<void>;
  /** Kills a function. */
  crash(name: string): Promise<void>;
  /** Resolves when the next line that contains `text` is logged. */
  untilLogged(text: string): Promise<void>;
}

/** Serves the functions given by name and source; `[functions]` of config.toml as given. */
export async function serve(
  sources: Record<string, string>,
  config = "",
  timeoutMs = 60_000,
): Promise<SampleFunctions> {
  const root = `${CACHE}/tests/${crypto.randomUUID()}`;
  const folder = `${root}/functions`;
  await Deno.mkdir(folder, { recursive: true });
  const write = async (name: string, source: string) => {
    await Deno.mkdir(`${folder}/${name}`, { recursive: true });
    await Deno.writeTextFile(`${folder}/${name}/index.ts`, source);
  };
  for (const [name, source] of Object.entries(sources)) await write(name, source);
  await Deno.writeTextFile(`${folder}/deno.json`, "{}");
  const open = Object.keys(sources).map((name) => `[functions.${name}]\nverify_jwt = false\n`);
  await Deno.writeTextFile(`${root}/config.toml`, config || open.join("\n"));
  const lines: string[] = [];
  const waiting: { text: string; resolve: () => void }[] = [];
  const functions = new Functions({
    folder,
    env: { GREETING: "hello", SUPABASE_URL: "http://gateway" },
    jwtSecret: JWT_SECRET,
    watch: true,
    timeoutMs,
    log: (line) => {
      lines.push(line);
      for (const { text, resolve } of waiting) if (line.includes(text)) resolve();
    },
  });
  const gateway = await startGateway();
  gateway.open({
    functions,
    dataApi: {
      fetch: ({ url }) => Promise.resolve(new Response(`the Data API at ${new URL(url).pathname}`)),
      close: () => Promise.resolve(),
    },
  });
  return {
    url: (path) => `${gateway.url}/functions/v1/${path}`,
    lines,
    write,
    crash: (name) => functions.crash(name),
    untilLogged: (text) => new Promise((resolve) => waiting.push({ text, resolve })),
    [Symbol.asyncDispose]: async () => {
      await functions.stop();
      await gateway.close();
      await Deno.remove(root, { recursive: true });
    },
  };
}
