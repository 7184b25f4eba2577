/** What a form holds: text, a list, or fields by name. Everything is text until it is checked. */
export type FormValue = string | FormValue[] | FormFields;

/** Fields by name, without a prototype, so that no name is special. */
export interface FormFields {
  [name: string]: FormValue;
}

/**
 * Decodes `a[b][0]=x&a[b][1]=y` to `{ a: { b: ["x", "y"] } }`. `a[]=x` appends. Fields whose names
 * are all numbers become a list in the order of the numbers.
 */
export function decodeForm(text: string): FormFields {
  const fields = emptyFields();
  for (const [name, value] of new URLSearchParams(text)) {
    place(fields, pathOf(name), value);
  }
  for (const [name, value] of Object.entries(fields)) fields[name] = withLists(value);
  return fields;
}

function emptyFields(): FormFields {
  return Object.create(null);
}

function pathOf(name: string): string[] {
  const bracket = name.indexOf("[");
  if (bracket <= 0 || !name.endsWith("]")) return [name];
  return [name.slice(0, bracket), ...name.slice(bracket + 1, -1).split("][")];
}

function place(fields: FormFields, path: string[], value: string): void {
  let at = fields;
  path.forEach((step, depth) => {
    const name = step === "" ? String(Object.keys(at).length) : step;
    if (depth === path.length - 1) {
      at[name] = value;
      return;
    }
    const next = at[name];
    const inner = typeof next === "object" && !Array.isArray(next) ? next : emptyFields();
    at[name] = inner;
    at = inner;
  });
}

function withLists(value: FormValue): FormValue {
  if (typeof value === "string" || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, withLists(inner)] as const);
  if (entries.every(([name]) => /^\d+$/.test(name))) {
    return entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, inner]) => inner);
  }
  return Object.assign(emptyFields(), Object.fromEntries(entries));
}
