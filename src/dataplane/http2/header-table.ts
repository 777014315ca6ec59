/** RFC 7541 Appendix A, from index 1 on. */
const entries: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"].map((status) => [":status", status] as const),
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...names(
    "accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control " +
      "content-disposition content-encoding content-language content-length content-location content-range " +
      "content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range " +
      "if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range " +
      "referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary via " +
      "www-authenticate",
  ),
];

function names(text: string): [string, string][] {
  return text.split(" ").map((name) => [name, ""]);
}

/** What an entry counts beside its text (RFC 7541 §4.1, bytes). */
const overhead = 32;

/** The header tables of one direction of a connection: the static one, and behind it what was added, the newest first (RFC 7541 §2.3). */
export class HeaderTable {
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  #size = 0;
  #limit: number;

  /** `limit` in bytes, as entries count. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The name at an index, or undefined. */
  name(index: number): string | undefined {
    if (index <= entries.length) return entries[index - 1]?.[0];
    return this.#names[this.#names.length - (index - entries.length)];
  }

  /** The value at an index, or undefined. */
  value(index: number): string | undefined {
    if (index <= entries.length) return entries[index - 1]?.[1];
    return this.#values[this.#values.length - (index - entries.length)];
  }

  /** An entry that is larger than the table empties it. */
  add(name: string, value: string): void {
    this.#size += name.length + value.length + overhead;
    this.#names.push(name);
    this.#values.push(value);
    this.#evict();
  }

  resize(limit: number): void {
    this.#limit = limit;
    this.#evict();
  }

  #evict(): void {
    let gone = 0;
    for (; this.#size > this.#limit; gone++) {
      this.#size -= (this.#names[gone] as string).length + (this.#values[gone] as string).length + overhead;
    }
    if (gone === 0) return;
    this.#names.splice(0, gone);
    this.#values.splice(0, gone);
  }
}

/** By name, the first index of the static table. */
export const staticIndexes: ReadonlyMap<string, number> = new Map(
  entries.map(([name], at) => [name, at + 1] as const).reverse(),
);

/** By status, the index of the static table that holds it whole. */
export const statusIndexes: ReadonlyMap<number, number> = new Map(
  entries.flatMap(([name, value], at) => (name === ":status" ? [[Number(value), at + 1] as const] : [])),
);
