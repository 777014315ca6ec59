/** Header fields in the order they came, with their own spelling; names compare without case (RFC 9110 §5.1). */
export class HeaderList {
  #names: string[];
  #keys: string[];
  #values: string[];
  /** A clone has the same columns, until one of the two changes. */
  #isShared = false;

  /** The columns belong to the list from now on. */
  constructor(names: string[] = [], keys: string[] = [], values: string[] = []) {
    this.#names = names;
    this.#keys = keys;
    this.#values = values;
  }

  static from(pairs: Iterable<readonly [string, string]>): HeaderList {
    const list = new HeaderList();
    for (const [name, value] of pairs) list.add(name, value);
    return list;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  /** The names in lower case, index by index. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  get values(): readonly string[] {
    return this.#values;
  }

  get length(): number {
    return this.#keys.length;
  }

  /** The first value; `key` is in lower case. */
  get(key: string): string | undefined {
    const at = this.keys.indexOf(key);
    return at < 0 ? undefined : this.values[at];
  }

  has(key: string): boolean {
    return this.keys.includes(key);
  }

  /** Every value; `key` is in lower case. */
  all(key: string): string[] {
    const values: string[] = [];
    for (let at = 0; at < this.keys.length; at++) if (this.keys[at] === key) values.push(this.values[at] as string);
    return values;
  }

  count(key: string): number {
    let count = 0;
    for (const other of this.keys) if (other === key) count++;
    return count;
  }

  /** `key` is the name in lower case, if somebody has it already. */
  add(name: string, value: string, key: string = name.toLowerCase()): void {
    this.#own();
    this.#names.push(name);
    this.#keys.push(key);
    this.#values.push(value);
  }

  /** Adds to the end of the value at an index. */
  extend(at: number, text: string): void {
    this.#own();
    this.#values[at] += text;
  }

  /** Replaces every field of that name, and every look-alike (`X_User` and `X.User` for `X-User`). */
  set(name: string, value: string): void {
    this.delete(name);
    this.add(name, value);
  }

  /** Removes every field of that name, and every look-alike that a backend may take for it. */
  delete(name: string): void {
    const wanted = name.toLowerCase();
    const dashed = dashedName(wanted);
    for (let at = this.keys.length - 1; at >= 0; at--) {
      const key = this.keys[at] as string;
      if (key.length !== wanted.length) continue;
      if (key === wanted || dashedName(key) === dashed) this.removeAt(at);
    }
  }

  /** Removes every field of these names, which are in lower case. */
  deleteAll(keys: ReadonlySet<string>): void {
    for (let at = this.keys.length - 1; at >= 0; at--) if (keys.has(this.keys[at] as string)) this.removeAt(at);
  }

  clone(): HeaderList {
    const clone = new HeaderList(this.#names, this.#keys, this.#values);
    clone.#isShared = this.#isShared = true;
    return clone;
  }

  removeAt(at: number): void {
    this.#own();
    close(this.#names, at);
    close(this.#keys, at);
    close(this.#values, at);
  }

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (let at = 0; at < this.names.length; at++) yield [this.names[at] as string, this.values[at] as string];
  }

  #own(): void {
    if (!this.#isShared) return;
    this.#isShared = false;
    this.#names = this.#names.slice();
    this.#keys = this.#keys.slice();
    this.#values = this.#values.slice();
  }
}

/** Takes one out; unlike splice, without an array for what is taken out. */
function close(column: string[], at: number): void {
  for (let next = at + 1; next < column.length; next++) column[next - 1] = column[next] as string;
  column.length--;
}

/**
 * The one spelling of a name in lower case and all its look-alikes: CGI and some frameworks read `_` (and PHP `.`) in a name as `-`, so
 * these names are one name to a backend.
 */
export function dashedName(key: string): string {
  return key.includes("_") || key.includes(".") ? key.replace(/[_.]/g, "-") : key;
}
