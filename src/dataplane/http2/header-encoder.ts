import type { HeaderList } from "../../core/headers.ts";
import type { StreamedRequest } from "../../core/shared-connection.ts";
import { staticIndexes, statusIndexes } from "./header-table.ts";

/** Fields that must not appear in HTTP/2 (RFC 9113 §8.2.2). */
const forbidden: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"],
]);

/** Kept out of the tables of whoever comes behind (RFC 7541 §7.1.3). */
const secret: ReadonlySet<string> = new Set(["set-cookie", "authorization", "proxy-authorization", "cookie"]);

const literal = 0x00;
const neverIndexed = 0x10;

/**
 * The header block of an answer, or of trailers if no status is given. Nothing is added to the client's table, so that a block is
 * the same whenever it is sent, and costs no memory that lasts.
 */
export function encodeHeaders(headers: HeaderList, status?: number): Buffer {
  const writer = new BlockWriter();
  if (status !== undefined) writer.status(status);
  writer.fields(headers);
  return writer.finish();
}

/** The header block of a request; `emptiesTable` says first that the peer's table stays empty (RFC 7541 §4.2). */
export function encodeRequest(request: StreamedRequest, how: { readonly emptiesTable: boolean }): Buffer {
  const { method, scheme, authority, path, isHandshake, headers } = request;
  const writer = new BlockWriter();
  if (how.emptiesTable) writer.emptyTable();
  writer.field(":method", method);
  if (isHandshake) writer.field(":protocol", "websocket");
  writer.field(":scheme", scheme);
  writer.field(":authority", authority);
  writer.field(":path", path);
  writer.fields(headers);
  return writer.finish();
}

class BlockWriter {
  #bytes = Buffer.allocUnsafe(512);
  #size = 0;

  status(status: number): void {
    const index = statusIndexes.get(status);
    if (index === undefined) return this.field(":status", String(status));
    this.#reserve(1);
    this.#bytes[this.#size++] = 0x80 | index;
  }

  emptyTable(): void {
    this.#bytes[this.#size++] = 0x20;
  }

  fields({ keys, values }: HeaderList): void {
    for (let at = 0; at < keys.length; at++) {
      const key = keys[at] as string;
      if (!forbidden.has(key) || (key === "te" && values[at] === "trailers")) this.field(key, values[at] as string);
    }
  }

  field(key: string, value: string): void {
    const kind = secret.has(key) ? neverIndexed : literal;
    const index = staticIndexes.get(key) ?? 0;
    this.#reserve(key.length + value.length + 16);
    this.#integer(kind, 0x0f, index);
    if (index === 0) this.#text(key);
    this.#text(value);
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  #text(text: string): void {
    this.#integer(0, 0x7f, text.length);
    this.#size += this.#bytes.write(text, this.#size, "latin1");
  }

  #integer(bits: number, mask: number, value: number): void {
    if (value < mask) {
      this.#bytes[this.#size++] = bits | value;
      return;
    }
    this.#bytes[this.#size++] = bits | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.#size++] = 0x80 | (rest & 0x7f);
    this.#bytes[this.#size++] = rest;
  }

  #reserve(count: number): void {
    if (this.#size + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#size + count));
    this.#bytes.copy(larger, 0, 0, this.#size);
    this.#bytes = larger;
  }
}
