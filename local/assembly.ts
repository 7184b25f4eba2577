import type { Keys } from "./keys.ts";

/** Which port each part prefers; 0 is any free one. */
export interface Ports {
  gateway: number;
  postgres: number;
  stripe: number;
  clerk: number;
}

/** What the parts have in common while the stack comes up. */
export interface Assembly {
  folder: string;
  keys: Keys;
  ports: Ports;
  /** Whether the folder is there for the next run, too. */
  isKept: boolean;
  /** Whether Postgres keeps what it has committed when it crashes. */
  durable: boolean;
  log: (line: string) => void;
  /** How to end what is up so far, the latest first. */
  parts: AsyncDisposableStack;
}
