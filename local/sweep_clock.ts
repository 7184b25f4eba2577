/** What a clock calls, and how often. */
export interface SweepClockOptions {
  /** The stack's gateway. */
  url: string;
  /** The project's secret key. */
  secretKey: string;
  everyMs: number;
  log: (line: string) => void;
}

/**
 * Calls the sweep of `sync-seats` again and again, as pg_cron does on hosted Supabase, until it is
 * stopped. One that fails is named in the log, and the next one comes all the same.
 */
export function startSweepClock(
  { url, secretKey, everyMs, log }: SweepClockOptions,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = (async () => {
    while (await hasPassed(everyMs, signal)) {
      try {
        const answer = await fetch(`${url}/functions/v1/sync-seats`, {
          method: "POST",
          headers: { apikey: secretKey },
          body: JSON.stringify({ sweep: true }),
          signal,
        });
        const text = await answer.text();
        if (!answer.ok) log(`[sweep] answered ${answer.status}: ${text}`);
      } catch (error) {
        if (!signal.aborted) log(`[sweep] ${error}`);
      }
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Waits; resolves to false when it is stopped before the time is over. */
function hasPassed(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const timer = setTimeout(() => resolve(true), milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve(false);
    }, { once: true });
  });
}
