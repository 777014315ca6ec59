import { GatewayError } from "../../core/errors.ts";
import { HeaderList } from "../../core/headers.ts";
import { NameCache } from "./name-cache.ts";

const CR = 13;
const LF = 10;
const COLON = 58;
const SPACE = 32;
const TAB = 9;

/** Byte classes of RFC 9110 §5.6.2 and §5.5. */
const token = 1;
const field = 2;
const classes = new Uint8Array(256);
for (let byte = 0x20; byte < 256; byte++) if (byte !== 0x7f) classes[byte] = field;
classes[TAB] = field;
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  classes[char.charCodeAt(0)] = token | field;
}

/** How many field lines there may be. */
export type FieldLimits = { readonly headers: number };

/** True if every byte of `text` may stand in a token. */
export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (((classes[text.charCodeAt(at)] ?? 0) & token) === 0) return false;
  return text.length > 0;
}

/**
 * Reads field lines (RFC 9112 §5) from `from` up to `end`, where the empty line begins. Line folding, space before the colon,
 * a bare CR or LF, and control bytes are errors.
 */
export function parseFields(
  input: { bytes: Buffer; text: string; from: number; end: number },
  limits: FieldLimits,
): HeaderList {
  const { bytes, text, end } = input;
  const names: string[] = [];
  const keys: string[] = [];
  const values: string[] = [];
  let at = input.from;
  while (at < end) {
    const nameFrom = at;
    let hash = 0;
    for (; (classes[bytes[at] as number] as number) & token; at++) hash = (hash * 31 + (bytes[at] as number)) | 0;
    const nameEnd = at;
    if (nameEnd === nameFrom || bytes[at] !== COLON) throw badLine(bytes[nameFrom] as number, bytes[at] as number);
    at++;
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    const valueFrom = at;
    while ((classes[bytes[at] as number] as number) & field) at++;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) throw badByte(bytes[at] as number);
    let valueEnd = at;
    while (valueEnd > valueFrom && (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)) valueEnd--;
    at += 2;
    if (names.length >= limits.headers)
      throw new GatewayError("head_too_large", `more than ${limits.headers} header lines`);
    names.push(nameCache.find(bytes, hash, nameFrom, nameEnd));
    keys.push(nameCache.key);
    values.push(text.substring(valueFrom, valueEnd));
  }
  return new HeaderList(names, keys, values);
}

const nameCache = new NameCache();

function badLine(first: number, found: number): GatewayError {
  if (first === SPACE || first === TAB) return new GatewayError("bad_request", "a header line is folded");
  if (found === SPACE || found === TAB)
    return new GatewayError("bad_request", "there is a space before a header's colon");
  return new GatewayError("bad_request", "a header line has no valid name");
}

function badByte(byte: number): GatewayError {
  const says = byte === LF || byte === CR ? "a line does not end in CR LF" : "a header value has a control character";
  return new GatewayError("bad_request", says);
}

/** Where the head's fields end: the index of the empty line's CR LF after the last field line, or -1 if it has not come yet. */
export function findHeadEnd(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(headEnd, from);
  return at < 0 ? -1 : at + 2;
}

const headEnd = Buffer.from("\r\n\r\n");

/** True if a line ends in LF alone; only complete lines are looked at. */
export function hasBareLineFeed(bytes: Uint8Array, from: number): boolean {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (at === 0 || bytes[at - 1] !== CR) return true;
  }
  return false;
}

/** The bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Holds nothing. */
export const emptyBuffer = Buffer.alloc(0);

/** What comes from `at` on, without making a view of nothing. */
export function after(bytes: Buffer, at: number): Buffer {
  return at === bytes.length ? emptyBuffer : bytes.subarray(at);
}

/** How the end of a message's content is found (RFC 9112 §6). */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "until-close" };

/** The Content-Length, if there is one. Several, a list, or anything but digits is an error of `code`. */
export function contentLength(headers: HeaderList, code: "bad_request" | "upstream_invalid"): number | undefined {
  const value = headers.get("content-length");
  if (value === undefined) return undefined;
  if (headers.count("content-length") > 1) throw new GatewayError(code, "there are several Content-Length fields");
  const length = decimal(value);
  if (!Number.isSafeInteger(length)) throw new GatewayError(code, "Content-Length is not a number of bytes");
  return length;
}

/** The number that up to 16 digits mean; NaN for anything else. */
function decimal(text: string): number {
  if (text.length === 0 || text.length > 16) return Number.NaN;
  let number = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}
