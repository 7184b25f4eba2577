import { dirname } from "node:path";

/** How to run a program as a user without privileges. */
export interface Unprivileged {
  /** The command line that runs this one as that user. */
  commandLine(command: string, args: string[]): { command: string; args: string[] };
  /** Makes that user the owner of a file or folder. */
  own(path: string): Promise<void>;
}

const EVERYONE_ENTERS = 0o005;
/** The last flag is for `access()`, which forgets the capability of a user who isn't root. */
const ENTER_ANYWHERE = [
  "--inh-caps",
  "+dac_override",
  "--ambient-caps",
  "+dac_override",
  "--securebits",
  "+no_setuid_fixup",
];

/**
 * Says how to run Postgres, which refuses to run as root: as ourselves, or for root as `nobody`.
 *
 * `paths` are what the program has to reach. Where one lies below a folder that only root may enter
 * (`/root`, for one), the program keeps the one capability that it needs for entering it.
 */
export async function unprivileged(paths: string[]): Promise<Unprivileged> {
  if (Deno.uid() !== 0) {
    return { commandLine: (command, args) => ({ command, args }), own: () => Promise.resolve() };
  }
  const [uid, gid] = await Promise.all([idOfNobody("-u"), idOfNobody("-g")]);
  const closed = (await Promise.all(paths.map(isClosed))).includes(true);
  const capability = closed ? ENTER_ANYWHERE : [];
  const switching = ["--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups", ...capability];
  return {
    commandLine: (command, args) => ({
      command: "setpriv",
      args: [...switching, "--", command, ...args],
    }),
    own: (path) => Deno.chown(path, uid, gid),
  };
}

async function idOfNobody(flag: "-u" | "-g"): Promise<number> {
  const { stdout } = await new Deno.Command("id", { args: [flag, "nobody"] }).output();
  const id = Number.parseInt(new TextDecoder().decode(stdout));
  if (!Number.isInteger(id)) {
    throw new Error("Postgres refuses to run as root, and this machine has no user named nobody");
  }
  return id;
}

async function isClosed(path: string): Promise<boolean> {
  for (let folder = path;; folder = dirname(folder)) {
    const { mode } = await Deno.stat(folder);
    if (mode !== null && (mode & EVERYONE_ENTERS) !== EVERYONE_ENTERS) return true;
    if (folder === dirname(folder)) return false;
  }
}
