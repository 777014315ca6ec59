import { GatewayError } from "../../core/errors.ts";
import type { Incoming, RequestHead } from "../../core/exchange.ts";
import { HeaderList } from "../../core/headers.ts";
import { parseAuthority } from "../../core/host.ts";
import { asterisk, parseTarget } from "../../core/request-target.ts";
import { errorCode, StreamFault } from "./frames.ts";
import type { MessageFields } from "./message-fields.ts";

/** A request of a stream, in the form that all requests have. */
export type StreamRequest = {
  readonly kind: Incoming["kind"];
  readonly head: RequestHead;
  /** The Content-Length, if there is one (bytes). */
  readonly length: number | undefined;
};

/** Bytes that a request line may have, and whether extended CONNECT is spoken (RFC 8441). */
export type RequestRules = { readonly requestLine: number; readonly webSockets: boolean };

/**
 * Makes a request of the fields of a stream. Throws a StreamFault for what is malformed (RFC 9113 §8.1.1), and a GatewayError for what
 * is answered with a status.
 */
export function readRequest(fields: MessageFields, rules: RequestRules): StreamRequest {
  fields.check();
  const { pseudo, headers } = fields;
  const { method, protocol } = pseudo;
  if (method === undefined || !/^[\w!#$%&'*+\-.^`|~]+$/.test(method)) throw malformed("there is no valid :method");
  if (protocol !== undefined && method !== "CONNECT") throw malformed(":protocol without CONNECT");
  if (fields.isTooLarge) throw new GatewayError("head_too_large", "the header fields are too long");
  if (method === "CONNECT" && protocol === undefined) throw refuse("CONNECT is not allowed");
  if (method === "TRACE") throw refuse("TRACE is not allowed");
  if (pseudo.scheme !== "http" && pseudo.scheme !== "https") throw malformed("there is no valid :scheme");
  if (pseudo.path === undefined || pseudo.path === "") throw malformed("there is no :path");
  if (pseudo.path.length > rules.requestLine) throw new GatewayError("target_too_long", ":path is too long");
  const length = contentLength(headers);
  if (protocol !== undefined) checkHandshake(protocol, headers, rules);
  const target = { method: protocol === undefined ? method : "GET", path: pseudo.path };
  const head = requestHead(target, readAuthority(pseudo.authority, headers), headers);
  return { kind: protocol === undefined ? "request" : "handshake", head, length };
}

function requestHead(
  target: { readonly method: string; readonly path: string },
  authority: { readonly authority: string; readonly host: string },
  headers: HeaderList,
): RequestHead {
  const { method } = target;
  // RFC 9113 §8.3.1 writes it so.
  const parsed = target.path === "*" && method === "OPTIONS" ? asterisk : parseTarget(target.path);
  if ("problem" in parsed) throw new GatewayError("bad_target", parsed.problem);
  const { normalPath: path, query } = parsed;
  return { method, target: target.path, headers, ...authority, path, query };
}

/** :authority, and Host beside it or in its place; both have to name the same. */
function readAuthority(named: string | undefined, headers: HeaderList): { authority: string; host: string } {
  if (headers.count("host") > 1) throw malformed("there are several Host fields");
  const field = headers.get("host");
  const authority = named ?? field ?? "";
  if (authority === "") throw new GatewayError("bad_request", "there is no :authority");
  const parsed = parseAuthority(authority);
  if (parsed === undefined) throw new GatewayError("bad_request", ":authority is malformed");
  if (field === undefined) headers.add("host", authority);
  else if (field !== authority) checkSame(parsed, field);
  return { authority, host: parsed.host };
}

function checkSame(parsed: { readonly host: string; readonly port?: number }, field: string): void {
  const other = parseAuthority(field);
  if (other === undefined || other.host !== parsed.host || other.port !== parsed.port)
    throw new GatewayError("bad_request", ":authority and Host name different hosts");
}

function contentLength(headers: HeaderList): number | undefined {
  const value = headers.get("content-length");
  if (value === undefined) return undefined;
  if (headers.count("content-length") > 1 || !/^\d{1,15}$/.test(value)) throw malformed("Content-Length is no number");
  return Number(value);
}

/** RFC 8441 §5: no key and no Upgrade, the rest is as RFC 6455 says. */
function checkHandshake(protocol: string, headers: HeaderList, { webSockets }: RequestRules): void {
  if (!webSockets) throw new GatewayError("not_implemented", "extended CONNECT is not offered here");
  if (protocol !== "websocket")
    throw new GatewayError("not_implemented", "the only protocol of an extended CONNECT here is websocket");
  if (headers.has("content-length")) throw new GatewayError("bad_handshake", "a WebSocket handshake has no body");
  if (headers.count("sec-websocket-version") === 1 && headers.get("sec-websocket-version") === "13") return;
  const version = HeaderList.from([["Sec-WebSocket-Version", "13"]]);
  throw new GatewayError("upgrade_required", "the WebSocket version here is 13", { headers: version });
}

function refuse(says: string): GatewayError {
  return new GatewayError("method_not_allowed", says);
}

function malformed(says: string): StreamFault {
  return new StreamFault(errorCode.protocol, says);
}
