import { GatewayError } from "../../core/errors.ts";
import type { HeaderList } from "../../core/headers.ts";
import { contentLength, type Framing, parseFields } from "./syntax.ts";

/** The head of an upstream's answer. */
export type ResponseHead = {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderList;
  readonly framing: Framing;
  /** The upstream keeps its connection open for another request. */
  readonly isKeptAlive: boolean;
};

/** How many header lines an upstream may send. */
const limits = { headers: 1000 };

/** Reads the head that ends at `end`. `method` is that of the request: HEAD has no content. Errors are `upstream_invalid`. */
export function parseResponseHead(bytes: Buffer, end: number, method: string): ResponseHead {
  const text = bytes.toString("latin1", 0, end);
  const lineEnd = text.indexOf("\r\n");
  const status = statusOf(text, lineEnd);
  if (status === 0) throw invalid("its status line is malformed");
  const isVersion11 = text.charCodeAt(7) === 0x31;
  if (status < 200 && !isVersion11) throw invalid("HTTP/1.0 has no interim answers");
  const headers = upstreamFields(bytes, text, lineEnd + 2, end);
  const framing = responseFraming(headers, status, method);
  const isKeptAlive = framing.kind !== "until-close" && keepsAlive(headers, isVersion11);
  return { status, reason: text.slice(13, lineEnd), headers, framing, isKeptAlive };
}

/** The status of a line `HTTP/1.x nnn reason` (RFC 9112 §4); 0 if it is none. */
function statusOf(text: string, lineEnd: number): number {
  if (!text.startsWith("HTTP/1.1 ") && !text.startsWith("HTTP/1.0 ")) return 0;
  const status = digit(text, 9) * 100 + digit(text, 10) * 10 + digit(text, 11);
  if (!(status >= 100) || lineEnd < 12) return 0;
  if (lineEnd > 12 && (text.charCodeAt(12) !== 0x20 || /[^\t\x20-\x7e\x80-\xff]/.test(text.substring(13, lineEnd))))
    return 0;
  return status;
}

/** NaN if there is none. */
function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 0x30;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}

function upstreamFields(bytes: Buffer, text: string, from: number, end: number): HeaderList {
  try {
    return parseFields({ bytes, text, from, end }, limits);
  } catch (error) {
    throw new GatewayError("upstream_invalid", "the upstream's answer is not valid HTTP: a header line is malformed", {
      cause: error,
    });
  }
}

/** RFC 9112 §6.3; an answer with both lengths is refused, because it may be an attempt to split answers. */
function responseFraming(headers: HeaderList, status: number, method: string): Framing {
  // Also where there is no content: an answer to HEAD passes its length on.
  const length = contentLength(headers, "upstream_invalid");
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return { kind: "none" };
  const coding = headers.get("transfer-encoding");
  if (coding === undefined) return length === undefined ? { kind: "until-close" } : { kind: "length", length };
  if (length !== undefined) throw invalid("Content-Length and Transfer-Encoding are both given");
  if (headers.count("transfer-encoding") > 1 || coding.toLowerCase() !== "chunked")
    throw invalid("its transfer coding is unknown");
  return { kind: "chunked" };
}

function keepsAlive(headers: HeaderList, isVersion11: boolean): boolean {
  const connection = headers.get("connection");
  if (connection === undefined) return isVersion11;
  const options = (headers.count("connection") === 1 ? connection : headers.all("connection").join(",")).toLowerCase();
  if (isVersion11) return !options.includes("close");
  // RFC 9112 §6.1: what claims a coding in HTTP/1.0 is framed by somebody who does not know it.
  return options.includes("keep-alive") && !headers.has("transfer-encoding");
}

function invalid(why: string): GatewayError {
  return new GatewayError("upstream_invalid", `the upstream's answer is not valid HTTP: ${why}`);
}
