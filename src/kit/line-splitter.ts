const newline = 0x0a;

/** Cuts a byte stream into lines of UTF-8 text; a line longer than `limit` bytes is an error. */
export class LineSplitter {
  readonly #limit: number;
  readonly #onLine: (line: string) => void;
  #parts: Uint8Array[] = [];
  #size = 0;

  constructor(limit: number, onLine: (line: string) => void) {
    this.#limit = limit;
    this.#onLine = onLine;
  }

  /** Takes the next bytes and keeps what does not end in a newline; throws a RangeError when a line is too long. */
  push(bytes: Uint8Array): void {
    let from = 0;
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, from)) {
      this.#add(bytes.subarray(from, at));
      from = at + 1;
      this.#onLine(this.#take());
    }
    // A copy, because Buffer.slice is only a view of what the caller may reuse.
    if (from < bytes.length) this.#add(new Uint8Array(bytes.subarray(from)));
  }

  #add(bytes: Uint8Array): void {
    this.#size += bytes.length;
    if (this.#size > this.#limit) throw new RangeError(`a line is longer than ${this.#limit} bytes`);
    this.#parts.push(bytes);
  }

  #take(): string {
    const line = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    return new TextDecoder().decode(line);
  }
}
