/**
 * Objects by id, in the order in which they were made, and by what else they are asked for. Whatever
 * their number, it takes no longer to find one, or those of one group. In JSON they are one object
 * with a field for each id.
 *
 * What a record is grouped by is not to be changed in place: put the changed record instead.
 */
export class Records<T extends { readonly id: string }> {
  readonly #byId = new Map<string, T>();
  readonly #groups = new Map<string, Map<string, T>>();
  readonly #groupsOf: (record: T) => readonly string[];

  /** `groupsOf` says which groups a record belongs to; none unless given. */
  constructor(groupsOf: (record: T) => readonly string[] = () => []) {
    this.#groupsOf = groupsOf;
  }

  /** The record with this id. */
  get(id: string): T | undefined {
    return this.#byId.get(id);
  }

  /** Adds a record, or puts it in the place of the one with its id. */
  put(record: T): T {
    const { id } = record;
    const before = this.#byId.get(id);
    const groups = this.#groupsOf(record);
    const earlier = before === undefined ? [] : this.#groupsOf(before);
    for (const group of earlier) if (!groups.includes(group)) this.#leave(group, id);
    this.#byId.set(id, record);
    for (const group of groups) {
      const members = this.#groups.get(group) ?? new Map<string, T>();
      this.#groups.set(group, members.set(id, record));
    }
    return record;
  }

  /** Removes the record with this id, if there is one. */
  delete(id: string): void {
    const record = this.#byId.get(id);
    if (record === undefined) return;
    this.#byId.delete(id);
    for (const group of this.#groupsOf(record)) this.#leave(group, id);
  }

  /** All records, oldest first. */
  values(): MapIterator<T> {
    return this.#byId.values();
  }

  /** All records, newest first. */
  newestFirst(): T[] {
    return [...this.#byId.values()].reverse();
  }

  /** The records of one group, in the order in which they came into it. */
  of(group: string): T[] {
    return [...this.#groups.get(group)?.values() ?? []];
  }

  /** What goes into a file. */
  toJSON(): Record<string, T> {
    return Object.fromEntries(this.#byId);
  }

  #leave(group: string, id: string): void {
    const members = this.#groups.get(group);
    members?.delete(id);
    if (members?.size === 0) this.#groups.delete(group);
  }
}
