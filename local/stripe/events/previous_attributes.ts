type Fields = Record<string, unknown>;

/**
 * What an event says an object was before a change: only the fields that differ, with their old
 * values, going into objects but not into lists (a subscription's `items.data` comes whole).
 * Both sides are plain JSON. A field that was not there before is null.
 */
export function previousAttributes(before: Fields, after: Fields): Fields {
  const previous: Fields = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const was = before[name] ?? null;
    const is = after[name] ?? null;
    if (JSON.stringify(was) === JSON.stringify(is)) continue;
    previous[name] = isFields(was) && isFields(is) ? previousAttributes(was, is) : was;
  }
  return previous;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
