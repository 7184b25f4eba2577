import type { Metadata } from "./state.ts";

/** The metadata that a record has, or that a request gives. */
interface WithMetadata {
  public_metadata?: Metadata;
  private_metadata?: Metadata;
}

/** Merges metadata as Clerk does: deeply, and null removes a key. */
export function mergeMetadata(record: WithMetadata, input: WithMetadata): WithMetadata {
  return {
    ...(input.public_metadata &&
      { public_metadata: merge(record.public_metadata ?? {}, input.public_metadata) }),
    ...(input.private_metadata &&
      { private_metadata: merge(record.private_metadata ?? {}, input.private_metadata) }),
  };
}

function merge(old: Metadata, change: Metadata): Metadata {
  const result = { ...old };
  for (const [key, value] of Object.entries(change)) {
    const before = result[key];
    if (value === null) delete result[key];
    else if (isObject(value)) result[key] = merge(isObject(before) ? before : {}, value);
    else result[key] = value;
  }
  return result;
}

function isObject(value: unknown): value is Metadata {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
