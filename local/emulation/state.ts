import { readFile, rename, writeFile } from "node:fs/promises";
import { Records } from "./records.ts";

const SAVE_DELAY_MS = 200;

/**
 * One JSON-shaped object that lives in memory and, when it has a path, in a file as well.
 *
 * Work on `data` directly and call `changed()` afterwards. Writes are gathered for a moment, then
 * the whole object replaces the file in one rename, so a reader never finds half of it.
 */
export class StateFile<T extends object> {
  readonly data: T;
  readonly #path: string | null;
  #dirty = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string | null, data: T) {
    this.#path = path;
    this.data = data;
  }

  /**
   * Loads the file, or starts from `initial` where there is none. Top-level fields that an older
   * file lacks come from `initial`; those that are `Records` there are filled. `revive` gives values
   * back what JSON took from them, as in `JSON.parse`. Throws where the file exists and is not a JSON
   * object.
   */
  static async open<T extends object>(
    path: string | null,
    initial: T,
    revive?: (name: string, value: unknown) => unknown,
  ): Promise<StateFile<T>> {
    if (path === null) return new StateFile(path, initial);
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (isNotFound(error)) return new StateFile(path, initial);
      throw error;
    }
    try {
      return new StateFile(path, filled(initial, JSON.parse(text, revive)));
    } catch (cause) {
      throw new Error(`The state file ${path} is not JSON. Remove it to start afresh`, { cause });
    }
  }

  /** Says that `data` has changed and is to be saved soon. */
  changed(): void {
    if (this.#path === null) return;
    this.#dirty = true;
    this.#timer ??= setTimeout(() => {
      this.flush().catch((error: unknown) => console.error("Saving the state failed:", error));
    }, SAVE_DELAY_MS);
  }

  /** Saves now what is not saved yet. Rejects when the file can't be written. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // A failed write must not keep the next one from being tried.
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write());
    return this.#writing;
  }

  /** Saves what is left. Call it once nothing changes `data` any more. */
  close(): Promise<void> {
    return this.flush();
  }

  async #write(): Promise<void> {
    if (this.#path === null || !this.#dirty) return;
    this.#dirty = false;
    try {
      const temporary = `${this.#path}.new`;
      await writeFile(temporary, JSON.stringify(this.data));
      await rename(temporary, this.#path);
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }
}

function filled<T extends object>(initial: T, saved: Record<string, unknown>): T {
  const data = { ...initial, ...saved };
  for (const [name, records] of Object.entries(initial)) {
    if (!(records instanceof Records)) continue;
    for (const record of Object.values(saved[name] ?? {})) records.put(record);
    Object.assign(data, { [name]: records });
  }
  return data;
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
