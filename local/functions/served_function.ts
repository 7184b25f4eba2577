import type { FunctionProcess } from "./function_process.ts";

interface Running {
  process: Promise<FunctionProcess>;
  inFlight: number;
  retired: boolean;
}

/**
 * One function and the process that serves it: started by the first request, kept, started again
 * by the next request when it has crashed, replaced when its source has changed.
 */
export class ServedFunction {
  readonly #start: () => Promise<FunctionProcess>;
  #current: Running | null = null;
  readonly #alive = new Set<Running>();
  #stopped = false;

  constructor(start: () => Promise<FunctionProcess>) {
    this.#start = start;
  }

  /** Starts the process unless it runs. Rejects when it can't start. */
  async warmUp(): Promise<void> {
    await this.#running().process;
  }

  /**
   * Hands the address of the running process to `work`, and keeps the process until it is done.
   * After a failure that `isCrash` the process is not used again.
   */
  async use<T>(
    work: (url: string) => Promise<T>,
    isCrash: (error: unknown) => boolean,
  ): Promise<T> {
    const running = this.#running();
    running.inFlight++;
    try {
      return await work((await running.process).url);
    } catch (error) {
      if (isCrash(error)) this.#retire(running);
      throw error;
    } finally {
      running.inFlight--;
      this.#endIfRetired(running);
    }
  }

  /** The next request gets a new process. The present one ends when its requests are answered. */
  replace(): void {
    if (this.#current !== null) this.#retire(this.#current);
  }

  /** Kills the processes, as a crash would; the next request gets a new one. */
  async crash(): Promise<void> {
    await Promise.all(
      [...this.#alive].map(({ process }) => process.then(({ kill }) => kill(), () => {})),
    );
  }

  /** Ends all processes at once, and starts none any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#current = null;
    await Promise.all([...this.#alive].map(end));
  }

  #running(): Running {
    if (this.#current !== null) return this.#current;
    const process = this.#stopped ? Promise.reject(new Error("Stopped")) : this.#start();
    const running: Running = { process, inFlight: 0, retired: false };
    this.#current = running;
    this.#alive.add(running);
    const forget = () => {
      this.#alive.delete(running);
      if (this.#current === running) this.#current = null;
    };
    running.process.then((process) => process.ended.then(forget), forget);
    return running;
  }

  #retire(running: Running): void {
    if (this.#current === running) this.#current = null;
    running.retired = true;
    this.#endIfRetired(running);
  }

  #endIfRetired(running: Running): void {
    if (running.retired && running.inFlight === 0) end(running);
  }
}

/** A process that never came up has nothing to end. */
async function end(running: Running): Promise<void> {
  const process = await running.process.catch(() => null);
  await process?.stop();
}
