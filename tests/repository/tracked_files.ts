import { CHECKOUT } from "../../local/paths.ts";

/** A file of the repository. */
export interface TrackedFile {
  /** From the checkout's folder. */
  path: string;
  text: string;
}

/** Every file that git tracks, or would: what is ignored is left out. */
export async function trackedFiles(): Promise<TrackedFile[]> {
  const { success, stdout, stderr } = await new Deno.Command("git", {
    args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd: CHECKOUT,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const paths = new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "");
  const read = (path: string) => Deno.readTextFile(`${CHECKOUT}/${path}`).catch(() => null);
  const files = await Promise.all(paths.map(async (path) => ({ path, text: await read(path) })));
  // What was deleted, but not yet in the index, can't be read.
  return files.filter((file): file is TrackedFile => file.text !== null);
}
