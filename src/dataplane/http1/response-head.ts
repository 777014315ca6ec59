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
const maxFields = 1000;

/** Reads the head that ends at `end`. `method` is that of the request: HEAD has no content. Errors are `upstream_invalid`. */
export function parseResponseHead(bytes: Buffer, end: number, method: string): ResponseHead {
  const text = bytes.toString("latin1", 0, end);
  const lineEnd = text.indexOf("\r\n");
  const line = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(text.substring(0, lineEnd));
  if (line === null) throw invalid("its status line is malformed");
  const status = Number(line[2]);
  const headers = upstreamFields(bytes, text, lineEnd + 2, end);
  const framing = responseFraming(headers, status, method);
  const isKeptAlive = framing.kind !== "until-close" && keepsAlive(headers, line[1] === "1");
  return { status, reason: line[3] ?? "", headers, framing, isKeptAlive };
}

function upstreamFields(bytes: Buffer, text: string, from: number, end: number): HeaderList {
  try {
    return parseFields({ bytes, text, from, end }, { headers: maxFields });
  } catch (error) {
    throw new GatewayError("upstream_invalid", "the upstream's answer is not valid HTTP: a header line is malformed", {
      cause: error,
    });
  }
}

/** RFC 9112 §6.3; an answer with both lengths is refused, because it may be an attempt to split answers. */
function responseFraming(headers: HeaderList, status: number, method: string): Framing {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return { kind: "none" };
  const length = contentLength(headers, "upstream_invalid");
  const coding = headers.get("transfer-encoding");
  if (coding === undefined) return length === undefined ? { kind: "until-close" } : { kind: "length", length };
  if (length !== undefined) throw invalid("Content-Length and Transfer-Encoding are both given");
  if (headers.count("transfer-encoding") > 1 || coding.toLowerCase() !== "chunked")
    throw invalid("its transfer coding is unknown");
  return { kind: "chunked" };
}

function keepsAlive(headers: HeaderList, isVersion11: boolean): boolean {
  if (!headers.has("connection")) return isVersion11;
  const options = headers.all("connection").join(",").toLowerCase();
  return isVersion11 ? !options.includes("close") : options.includes("keep-alive");
}

function invalid(why: string): GatewayError {
  return new GatewayError("upstream_invalid", `the upstream's answer is not valid HTTP: ${why}`);
}
