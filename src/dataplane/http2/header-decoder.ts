import { ConnectionFault, errorCode } from "./frames.ts";
import { HeaderTable } from "./header-table.ts";
import { decodeHuffman } from "./huffman.ts";

/** Hears the fields of a block in their order. */
export interface FieldSink {
  onField(name: string, value: string): void;
}

/** The table size that is offered, which is the usual one (bytes). */
const tableSize = 4096;

/** Decodes header blocks of one connection (RFC 7541). Texts are latin1, a character a byte. */
export class HeaderDecoder {
  readonly #table = new HeaderTable(tableSize);
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Throws a ConnectionFault for a block that is malformed: after it no other one can be understood. */
  decode(block: Buffer, sink: FieldSink): void {
    this.#bytes = block;
    this.#at = 0;
    let mayResize = true;
    while (this.#at < block.length) {
      const first = block[this.#at] as number;
      const isResize = (first & 0xe0) === 0x20;
      if (isResize && !mayResize) throw malformed("a table size stands behind a field");
      mayResize = isResize;
      if (isResize) this.#resize();
      else this.#readField(first, sink);
    }
  }

  #readField(first: number, sink: FieldSink): void {
    if ((first & 0x80) !== 0) {
      const index = this.#integer(0x7f);
      const name = this.#table.name(index);
      const value = this.#table.value(index);
      if (name === undefined || value === undefined) throw malformed("an index leads nowhere");
      return sink.onField(name, value);
    }
    const isKept = (first & 0x40) !== 0;
    const index = this.#integer(isKept ? 0x3f : 0x0f);
    const name = index === 0 ? this.#text() : this.#table.name(index);
    if (name === undefined) throw malformed("an index leads nowhere");
    const value = this.#text();
    if (isKept) this.#table.add(name, value);
    sink.onField(name, value);
  }

  #resize(): void {
    const size = this.#integer(0x1f);
    if (size > tableSize) throw malformed("a table size is larger than what was offered");
    this.#table.resize(size);
  }

  /** RFC 7541 §5.1; nothing here needs more than 28 bits. */
  #integer(mask: number): number {
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw malformed("a number is too large");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw malformed("a header block ends too soon");
    return byte;
  }

  #text(): string {
    const isHuffman = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(0x7f);
    const from = this.#at;
    const end = from + length;
    if (end > this.#bytes.length) throw malformed("a header block ends too soon");
    this.#at = end;
    if (!isHuffman) return this.#bytes.toString("latin1", from, end);
    const text = decodeHuffman(this.#bytes, from, end);
    if (text === undefined) throw malformed("a text is not coded as it has to be");
    return text;
  }
}

function malformed(says: string): ConnectionFault {
  return new ConnectionFault(errorCode.compression, says);
}
