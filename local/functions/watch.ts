const QUIET_MS = 100;

/**
 * Calls `changed` once a burst of changes below `folder` is over. Answers a function that ends the
 * watching.
 */
export function watchFolder(folder: string, changed: () => void): () => void {
  const watcher = Deno.watchFs(folder, { recursive: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  (async () => {
    for await (const { kind } of watcher) {
      if (kind === "access") continue;
      clearTimeout(timer);
      timer = setTimeout(changed, QUIET_MS);
    }
  })();
  return () => {
    watcher.close();
    clearTimeout(timer);
  };
}
