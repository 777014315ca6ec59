import { GatewayError } from "../../core/errors.ts";
import type { RequestHead } from "../../core/exchange.ts";
import type { HeaderList } from "../../core/headers.ts";
import { parseAuthority } from "../../core/host.ts";
import { asterisk, parseTarget } from "../../core/request-target.ts";
import { contentLength, type Framing, isToken, parseFields } from "./syntax.ts";

/** What a head may be: bytes of the request line, and field lines. */
export type RequestLimits = { readonly requestLine: number; readonly headers: number };

/** A request head as it was read: what it asks for, where its content ends, and what becomes of the connection. */
export type ParsedRequest = {
  readonly head: RequestHead;
  readonly framing: Framing;
  /** 10 or 11. */
  readonly version: number;
  readonly wantsKeepAlive: boolean;
};

/** Reads the head that ends at `end` (the index `findHeadEnd` gives). Everything RFC 9112 does not allow throws. */
export function parseRequestHead(bytes: Buffer, end: number, limits: RequestLimits): ParsedRequest {
  const text = bytes.toString("latin1", 0, end);
  const lineEnd = text.indexOf("\r\n");
  if (lineEnd > limits.requestLine) throw new GatewayError("target_too_long", "the request line is too long");
  const { method, target, version } = parseRequestLine(text.substring(0, lineEnd));
  const headers = parseFields({ bytes, text, from: lineEnd + 2, end }, limits);
  const framing = requestFraming(headers, version);
  const head = requestHead({ method, target, headers, version });
  return { head, framing, version, wantsKeepAlive: wantsKeepAlive(headers, version) };
}

function parseRequestLine(line: string): { method: string; target: string; version: number } {
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  const method = line.substring(0, first);
  const target = line.substring(first + 1, last);
  if (first < 0 || last === first || !isToken(method))
    throw new GatewayError("bad_request", "the request line is malformed");
  const protocol = line.substring(last + 1);
  if (protocol === "HTTP/1.1") return { method, target, version: 11 };
  if (protocol === "HTTP/1.0") return { method, target, version: 10 };
  if (/^HTTP\/[0-9]\.[0-9]$/.test(protocol))
    throw new GatewayError("version_not_supported", `${protocol} is not spoken here`);
  throw new GatewayError("bad_request", "the request line is malformed");
}

/** RFC 9112 §6.3, with every doubtful combination refused, because somebody downstream may read it otherwise. */
function requestFraming(headers: HeaderList, version: number): Framing {
  const length = contentLength(headers, "bad_request");
  const coding = headers.get("transfer-encoding");
  if (coding === undefined) return length === undefined || length === 0 ? { kind: "none" } : { kind: "length", length };
  if (length !== undefined)
    throw new GatewayError("bad_request", "Content-Length and Transfer-Encoding are both given");
  if (version === 10) throw new GatewayError("bad_request", "HTTP/1.0 has no Transfer-Encoding");
  if (headers.count("transfer-encoding") > 1)
    throw new GatewayError("bad_request", "there are several Transfer-Encoding fields");
  if (coding.toLowerCase() !== "chunked")
    throw new GatewayError("not_implemented", "the only transfer coding here is chunked");
  return { kind: "chunked" };
}

function requestHead(line: { method: string; target: string; headers: HeaderList; version: number }): RequestHead {
  const { method, headers } = line;
  if (method === "CONNECT" || method === "TRACE")
    throw new GatewayError("method_not_allowed", `${method} is not allowed`);
  const authority = hostField(headers, line.version);
  const { host, port } = authority === "" ? { host: "", port: undefined } : checkedAuthority(authority);
  const raw = originForm(line, { host, port });
  const target = raw === "*" && method === "OPTIONS" ? asterisk : parseTarget(raw);
  if ("problem" in target) throw new GatewayError("bad_target", target.problem);
  return { method, target: raw, headers, authority, host, path: target.normalPath, query: target.query };
}

function hostField(headers: HeaderList, version: number): string {
  const count = headers.count("host");
  if (count > 1) throw new GatewayError("bad_request", "there are several Host fields");
  if (count === 0 && version === 11) throw new GatewayError("bad_request", "there is no Host field");
  const value = headers.get("host") ?? "";
  if (value === "" && version === 11) throw new GatewayError("bad_request", "the Host field is empty");
  return value;
}

function checkedAuthority(value: string): { host: string; port: number | undefined } {
  const parsed = parseAuthority(value);
  if (parsed === undefined) throw new GatewayError("bad_request", "the Host field is malformed");
  return { host: parsed.host, port: parsed.port };
}

/** The absolute form (RFC 9112 §3.2.2) becomes the origin form, or the asterisk form, if it names the same host as the Host field. */
function originForm(
  { method, target }: { readonly method: string; readonly target: string },
  host: { host: string; port: number | undefined },
): string {
  if (target.startsWith("/") || target === "*") return target;
  const match = /^https?:\/\/([^/?#]*)(.*)$/is.exec(target);
  if (match === null) throw new GatewayError("bad_target", "the request target is neither a path nor an http URL");
  const named = parseAuthority(match[1] ?? "");
  if (named === undefined || named.host !== host.host || named.port !== host.port) {
    throw new GatewayError("bad_target", "the request target names another host than the Host field");
  }
  const rest = match[2] ?? "";
  // RFC 9112 §3.2.4: that is how a proxy is told.
  if (rest === "" && method === "OPTIONS") return "*";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function wantsKeepAlive(headers: HeaderList, version: number): boolean {
  const connection = headers.get("connection");
  if (connection === undefined) return version === 11;
  const isAlone = headers.count("connection") === 1;
  // What browsers send, without a look inside.
  if (isAlone && version === 11 && (connection === "keep-alive" || connection === "Upgrade")) return true;
  const options = (isAlone ? connection : headers.all("connection").join(",")).toLowerCase();
  if (version === 11) return !/(?:^|[\s,])close(?:$|[\s,])/.test(options);
  return /(?:^|[\s,])keep-alive(?:$|[\s,])/.test(options);
}
