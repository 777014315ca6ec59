/** Header fields in the order they came, with their own spelling; names compare without case (RFC 9110 §5.1). */
export class HeaderList {
  readonly names: string[];
  /** The names in lower case, index by index. */
  readonly keys: string[];
  readonly values: string[];

  constructor(columns: { names: string[]; keys: string[]; values: string[] } = { names: [], keys: [], values: [] }) {
    this.names = columns.names;
    this.keys = columns.keys;
    this.values = columns.values;
  }

  static from(pairs: Iterable<readonly [string, string]>): HeaderList {
    const list = new HeaderList();
    for (const [name, value] of pairs) list.add(name, value);
    return list;
  }

  get length(): number {
    return this.keys.length;
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

  add(name: string, value: string): void {
    this.names.push(name);
    this.keys.push(name.toLowerCase());
    this.values.push(value);
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
    return new HeaderList({ names: this.names.slice(), keys: this.keys.slice(), values: this.values.slice() });
  }

  removeAt(at: number): void {
    this.names.splice(at, 1);
    this.keys.splice(at, 1);
    this.values.splice(at, 1);
  }

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (let at = 0; at < this.names.length; at++) yield [this.names[at] as string, this.values[at] as string];
  }
}

/**
 * The one spelling of a name in lower case and all its look-alikes: CGI and some frameworks read `_` (and PHP `.`) in a name as `-`, so
 * these names are one name to a backend.
 */
export function dashedName(key: string): string {
  return key.includes("_") || key.includes(".") ? key.replace(/[_.]/g, "-") : key;
}
