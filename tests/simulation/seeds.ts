import type { Seed } from "./run.ts";

/** Histories that went wrong once, and what was wrong; every run of the tests plays them again. */
export const SEEDS: readonly (Seed & { readonly was: string })[] = [];
