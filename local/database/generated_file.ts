import { CHECKOUT } from "../paths.ts";
import { onThrowAwayDatabase } from "./throw_away.ts";

/** A file of this checkout that follows from the migrations. */
export interface GeneratedFile {
  /** From the checkout's folder. */
  path: string;
  /** The task that makes it. */
  task: string;
  /** Makes its text from a migrated database. */
  generate: (databaseUrl: string) => Promise<string>;
}

/** Whether the file says what a migrated database says. */
export async function isCurrent(file: GeneratedFile, databaseUrl: string): Promise<boolean> {
  const present = await Deno.readTextFile(`${CHECKOUT}/${file.path}`).catch(() => null);
  return present === await file.generate(databaseUrl);
}

/** Runs the task of a generated file: writes it, or with `--check` exits with 1 when it is stale. */
export async function runTask(file: GeneratedFile): Promise<void> {
  if (Deno.args.includes("--check")) {
    if (await onThrowAwayDatabase((url) => isCurrent(file, url))) return;
    console.error(`${file.path} is stale. Run "npm run ${file.task}"`);
    Deno.exit(1);
  }
  const text = await onThrowAwayDatabase(file.generate);
  await Deno.writeTextFile(`${CHECKOUT}/${file.path}`, text);
  console.log(`Wrote ${file.path}`);
}
