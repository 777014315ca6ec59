import { dashedName, HeaderList } from "../../core/headers.ts";
import { mayBeTrailer } from "../../core/trailers.ts";
import { errorCode, StreamFault } from "./frames.ts";
import type { FieldSink } from "./header-decoder.ts";

/** Bytes of all fields together (RFC 9113 §6.5.2), and how many there may be. */
export type FieldLimits = { readonly head: number; readonly headers: number };

/** The pseudo-header fields of a request (RFC 9113 §8.3.1, RFC 8441 §4), or of an answer (§8.3.2). */
export type PseudoFields = {
  status?: string;
  method?: string;
  scheme?: string;
  path?: string;
  authority?: string;
  protocol?: string;
};

/** What a header block is: the head of a request or of an answer, or trailers of either. */
export type BlockKind = "request" | "answer" | "trailers";

const none: ReadonlyMap<string, keyof PseudoFields> = new Map();
const requestNames: ReadonlyMap<string, keyof PseudoFields> = new Map([
  [":method", "method"],
  [":scheme", "scheme"],
  [":path", "path"],
  [":authority", "authority"],
  [":protocol", "protocol"],
]);

const pseudoNames: Readonly<Record<BlockKind, ReadonlyMap<string, keyof PseudoFields>>> = {
  request: requestNames,
  answer: new Map([[":status", "status"]]),
  trailers: none,
};

/** Fields of one connection of HTTP/1.1 (RFC 9113 §8.2.2). */
const connectionFields: ReadonlySet<string> = new Set([
  ...["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"],
]);

/** Collects the fields of one header block. What is wrong with it is kept, because the block has to be decoded to its end. */
export class MessageFields implements FieldSink {
  readonly pseudo: PseudoFields = {};
  readonly headers = new HeaderList();
  /** Set once there are more fields than are allowed, or more bytes. */
  isTooLarge = false;
  /** What makes the message malformed (RFC 9113 §8.1.1). */
  problem: string | undefined;
  readonly #limits: FieldLimits;
  readonly #kind: BlockKind;
  #bytes = 0;
  #cookieAt = -1;

  constructor(limits: FieldLimits, kind: BlockKind = "request") {
    this.#limits = limits;
    this.#kind = kind;
  }

  onField(name: string, value: string): void {
    this.#bytes += name.length + value.length + 32;
    if (this.#bytes > this.#limits.head || this.headers.length >= this.#limits.headers) {
      // Its pseudo-header fields come first, so that the answer still finds the method.
      this.isTooLarge = true;
      return;
    }
    if (name.charCodeAt(0) === 0x3a) this.#pseudoField(name, value);
    else this.#field(name, value);
  }

  /** Throws if the block was malformed. */
  check(): void {
    if (this.problem !== undefined) throw new StreamFault(errorCode.protocol, this.problem);
  }

  #pseudoField(name: string, value: string): void {
    const key = pseudoNames[this.#kind].get(name);
    if (key === undefined) this.problem ??= `${printable(name)} has no place here`;
    else if (this.headers.length > 0) this.problem ??= `${name} stands behind other fields`;
    else if (this.pseudo[key] !== undefined) this.problem ??= `${name} stands twice`;
    else if (!isFieldValue(value)) this.problem ??= `${name} has a character that may not stand there`;
    else this.pseudo[key] = value;
  }

  #field(name: string, value: string): void {
    if (!isFieldName(name)) this.problem ??= `${printable(name)} is no name of a field`;
    else if (!isFieldValue(value)) this.problem ??= `${name} has a character that may not stand there`;
    else if (connectionFields.has(name)) this.problem ??= `${name} belongs to HTTP/1.1`;
    else if (name === "te" && value.toLowerCase() !== "trailers") this.problem ??= "te may only be trailers";
    else if (name === "cookie" && this.#cookieAt >= 0) this.#joinCookie(value);
    else if (this.#kind !== "trailers" || mayBeTrailer(name)) this.#add(name, value);
  }

  #add(name: string, value: string): void {
    if (name === "cookie") this.#cookieAt = this.headers.length;
    this.headers.add(name, value, name);
  }

  /** RFC 9113 §8.2.3: crumbs of one Cookie field. */
  #joinCookie(value: string): void {
    this.headers.extend(this.#cookieAt, `; ${value}`);
  }
}

/** A token in lower case (RFC 9113 §8.2.1). */
function isFieldName(name: string): boolean {
  return /^[a-z0-9!#$%&'*+\-.^_`|~]+$/.test(name) && dashedName(name).length > 0;
}

/** No NUL, CR or LF, and nothing blank at its ends; other control characters are refused as over HTTP/1.1. */
function isFieldValue(value: string): boolean {
  return !/[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/.test(value);
}

function printable(name: string): string {
  return JSON.stringify(name.slice(0, 40));
}
