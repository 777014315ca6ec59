import { GatewayError } from "../../core/errors.ts";
import { HeaderList } from "../../core/headers.ts";
import { mayBeTrailer } from "../../core/trailers.ts";
import { parseFields } from "./syntax.ts";

/** What a chunked body comes apart into. */
export type ChunkedListener = {
  onData(bytes: Uint8Array): void;
  onEnd(trailers: HeaderList | undefined): void;
};

/** What a malformed body is called: the fault is that of the side that sent it. */
export type BodyErrorCode = "bad_request" | "upstream_invalid";

const CR = 13;
const LF = 10;
/** A chunk's size with its extensions, in bytes; extensions are read over. */
const maxSizeLine = 256;
const maxTrailers = 8192;

/** Takes the chunked coding off (RFC 9112 §7.1), strictly: CR LF everywhere, hexadecimal digits only. */
export class ChunkedDecoder {
  readonly #listener: ChunkedListener;
  readonly #errorCode: BodyErrorCode;
  #state: "size" | "data" | "data-end" | "trailers" | "done" = "size";
  #remaining = 0;
  /** A line that is not complete yet. */
  #line = "";
  #trailers = "";

  constructor(listener: ChunkedListener, errorCode: BodyErrorCode) {
    this.#listener = listener;
    this.#errorCode = errorCode;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Decodes and returns how many bytes belonged to the body. Throws its error code on anything malformed. */
  decode(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") at += this.#data(bytes, at);
      else at = this.#lineBytes(bytes, at);
    }
    return at;
  }

  #data(bytes: Uint8Array, at: number): number {
    const size = Math.min(this.#remaining, bytes.length - at);
    this.#remaining -= size;
    if (this.#remaining === 0) this.#state = "data-end";
    this.#listener.onData(size === bytes.length ? bytes : bytes.subarray(at, at + size));
    return size;
  }

  /** Collects a line and returns the index behind what it took. */
  #lineBytes(bytes: Uint8Array, at: number): number {
    const end = bytes.indexOf(LF, at);
    const until = end < 0 ? bytes.length : end + 1;
    const limit = this.#state === "trailers" ? maxTrailers : maxSizeLine;
    if (this.#line.length + until - at > limit) throw this.#malformed("a line is too long");
    this.#line += Buffer.from(bytes.buffer, bytes.byteOffset + at, until - at).toString("latin1");
    if (end < 0) return until;
    const line = this.#line;
    if (line.length < 2 || line.charCodeAt(line.length - 2) !== CR)
      throw this.#malformed("a line does not end in CR LF");
    this.#line = "";
    this.#onLine(line.substring(0, line.length - 2));
    return until;
  }

  #onLine(line: string): void {
    if (this.#state === "size") return this.#onSize(line);
    if (this.#state === "data-end") {
      if (line !== "") throw this.#malformed("a chunk is longer than its size");
      this.#state = "size";
      return;
    }
    if (line === "") return this.#end();
    this.#trailers += `${line}\r\n`;
    if (this.#trailers.length > maxTrailers) throw this.#malformed("the trailers are too long");
  }

  #onSize(line: string): void {
    const match = /^([0-9a-fA-F]{1,14})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line);
    if (match === null) throw this.#malformed("a chunk size is not hexadecimal");
    const size = Number.parseInt(match[1] ?? "", 16);
    if (!Number.isSafeInteger(size)) throw this.#malformed("a chunk is too large");
    this.#remaining = size;
    this.#state = size === 0 ? "trailers" : "data";
  }

  #end(): void {
    this.#state = "done";
    this.#listener.onEnd(this.#trailers === "" ? undefined : this.#parseTrailers());
  }

  #parseTrailers(): HeaderList | undefined {
    const text = this.#trailers;
    const bytes = Buffer.from(text, "latin1");
    const fields = this.#parseTrailerFields({ bytes, text, from: 0, end: bytes.length });
    const kept = HeaderList.from([...fields].filter(([name]) => mayBeTrailer(name)));
    return kept.length === 0 ? undefined : kept;
  }

  #parseTrailerFields(input: Parameters<typeof parseFields>[0]): HeaderList {
    try {
      return parseFields(input, { headers: 100 });
    } catch (error) {
      throw this.#malformed(error instanceof Error ? error.message : "its trailers are malformed");
    }
  }

  #malformed(why: string): GatewayError {
    return new GatewayError(this.#errorCode, `the chunked body is malformed: ${why}`);
  }
}

/** The size line that goes before a chunk of `size` bytes; CR LF goes after it. */
export function chunkHead(size: number): string {
  return `${size.toString(16)}\r\n`;
}

/** What ends a chunked body. */
export function lastChunk(trailers: HeaderList | undefined): string {
  let text = "0\r\n";
  if (trailers !== undefined) for (const [name, value] of trailers) text += `${name}: ${value}\r\n`;
  return `${text}\r\n`;
}
