/**
 * Objects by id, in the order in which they were made, and by one more thing that they have in
 * common. Whatever their number, it takes no longer to find one, or those of one group. In JSON they
 * are one object with a field for each id.
 *
 * What a record is grouped by is not to be changed in place: put the changed record instead.
 */
export class Records<T extends { readonly id: string }> {
  readonly #byId = new Map<string, T>();
  readonly #groups = new Map<string, Map<string, T>>();
  readonly #groupOf: (record: T) => string;

  /** `groupOf` says which group a record belongs to; without it, all of them are in one. */
  constructor(groupOf: (record: T) => string = () => "") {
    this.#groupOf = groupOf;
  }

  /** The record with this id. */
  get(id: string): T | undefined {
    return this.#byId.get(id);
  }

  /** Adds a record, or puts it in the place of the one with its id. */
  put(record: T): T {
    const { id } = record;
    const before = this.#byId.get(id);
    const group = this.#groupOf(record);
    if (before !== undefined && this.#groupOf(before) !== group) this.#leaveGroup(before);
    this.#byId.set(id, record);
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Map([[id, record]]));
    else members.set(id, record);
    return record;
  }

  /** Removes the record with this id, if there is one. */
  delete(id: string): void {
    const record = this.#byId.get(id);
    if (record === undefined) return;
    this.#byId.delete(id);
    this.#leaveGroup(record);
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

  #leaveGroup(record: T): void {
    const group = this.#groupOf(record);
    const members = this.#groups.get(group);
    members?.delete(record.id);
    if (members?.size === 0) this.#groups.delete(group);
  }
}
