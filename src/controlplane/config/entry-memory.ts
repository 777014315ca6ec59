/**
 * What the entries of a section came to when they were last read, by their text. Most of a large configuration is the same after a
 * change, and checking it is the greater part of the work.
 */
export class EntryMemory<Value> {
  #before: ReadonlyMap<string, Value> = new Map();
  #now = new Map<string, Value>();

  /** A new reading begins: what is not asked for in it will be forgotten, unless nothing at all is. */
  turn(): void {
    if (this.#now.size === 0) return;
    this.#before = this.#now;
    this.#now = new Map();
  }

  /** What this very text came to in the last reading. */
  recall(text: string): Value | undefined {
    const value = this.#before.get(text);
    if (value !== undefined) this.#now.set(text, value);
    return value;
  }

  /** Keeps a value, which is plain data, and gives it back as it will be recalled. */
  keep(text: string, value: Value): Value {
    // A copy, since the texts in it are parts of the whole file, which each of them would keep alive for as long as it is unchanged.
    const kept: Value = JSON.parse(JSON.stringify(value));
    this.#now.set(text, kept);
    return kept;
  }
}
