import { GatewayError } from "../../core/errors.ts";
import type { ListenerSettings } from "../../core/snapshot.ts";
import { type ParsedRequest, parseRequestHead } from "./request-head.ts";
import { after, asBuffer, emptyBuffer, findHeadEnd, hasBareLineFeed } from "./syntax.ts";

/** Collects what comes on a connection and belongs to no request yet, and finds the heads of requests in it. */
export class RequestReader {
  readonly #limits: ListenerSettings["limits"];
  #input: Buffer = emptyBuffer;

  constructor(limits: ListenerSettings["limits"]) {
    this.#limits = limits;
  }

  /** Bytes held. */
  get size(): number {
    return this.#input.length;
  }

  get content(): Buffer {
    return this.#input;
  }

  /** What a head that is wrong asked for: an answer to HEAD has no content, whatever it says (RFC 9110 §9.3.2). */
  get method(): "HEAD" | "GET" {
    return this.#input.toString("latin1", 0, 5) === "HEAD " ? "HEAD" : "GET";
  }

  add(bytes: Uint8Array): void {
    this.#input = this.#input.length === 0 ? asBuffer(bytes) : Buffer.concat([this.#input, bytes]);
  }

  /** The next request's head, or undefined if it has not come whole. Throws a GatewayError and keeps what is wrong. */
  read(): ParsedRequest | undefined {
    this.#skipEmptyLines();
    if (this.#input.length === 0) return undefined;
    const end = findHeadEnd(this.#input, 0);
    if ((end < 0 ? this.#input.length : end) > this.#limits.head) throw this.#tooLarge();
    if (end < 0) {
      if (hasBareLineFeed(this.#input, 0)) throw new GatewayError("bad_request", "a line does not end in CR LF");
      return undefined;
    }
    const request = parseRequestHead(this.#input, end, this.#limits);
    this.#input = after(this.#input, end + 2);
    return request;
  }

  /** What came behind the last head. */
  takeRest(): Buffer {
    const rest = this.#input;
    this.#input = emptyBuffer;
    return rest;
  }

  /** RFC 9112 §2.2 lets a server ignore an empty line before a request. */
  #skipEmptyLines(): void {
    let at = 0;
    while (this.#input[at] === 13 && this.#input[at + 1] === 10) at += 2;
    if (at > 0) this.#input = after(this.#input, at);
  }

  #tooLarge(): GatewayError {
    const lineEnd = this.#input.indexOf("\r\n");
    const isLine = lineEnd < 0 || lineEnd > this.#limits.requestLine;
    return isLine
      ? new GatewayError("target_too_long", "the request line is too long")
      : new GatewayError("head_too_large", `the head is longer than ${this.#limits.head} bytes`);
  }
}
