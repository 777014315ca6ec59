import type { ResponseReply, TunnelReply } from "../../core/exchange.ts";
import type { HeaderList } from "../../core/headers.ts";
import type { WriteFraming } from "./message-writer.ts";

/** What has to be known of the request to frame its answer. */
export type ResponseContext = { readonly method: string; readonly version: number; readonly keepAlive: boolean };

/** The head of an answer and the framing of its content. The reply's headers hold no framing or connection fields but Content-Length. */
export function responseHead(reply: ResponseReply, context: ResponseContext): { head: string; framing: WriteFraming } {
  const framing = chooseFraming(reply, context);
  let head = `HTTP/1.1 ${reply.status} ${reply.reason}\r\n`;
  head += fieldLines(reply.headers);
  if (framing === "chunked") head += "Transfer-Encoding: chunked\r\n";
  else if (needsLength(reply, framing, context.method)) head += `Content-Length: ${bodyLength(reply)}\r\n`;
  if (!context.keepAlive || framing === "until-close") head += "Connection: close\r\n";
  else if (context.version === 10) head += "Connection: keep-alive\r\n";
  return { head: `${head}\r\n`, framing };
}

/** RFC 9110 §6.4.1: answers to HEAD, and 1xx, 204 and 304, have no content. */
function chooseFraming(reply: ResponseReply, context: ResponseContext): WriteFraming {
  if (context.method === "HEAD" || reply.status === 204 || reply.status === 304) return "none";
  if (reply.body === undefined || reply.body instanceof Uint8Array || reply.body.length !== undefined) return "length";
  return context.version === 11 ? "chunked" : "until-close";
}

/** The upstream's own Content-Length stays where it says what a GET would have got. */
function needsLength(reply: ResponseReply, framing: WriteFraming, method: string): boolean {
  if (reply.headers.has("content-length")) return false;
  return framing === "length" || (method === "HEAD" && reply.body instanceof Uint8Array);
}

function bodyLength(reply: ResponseReply): number {
  return reply.body?.length ?? 0;
}

/** The 101 for a client whose upstream accepted (RFC 6455 §4.2.2). */
export function switchingHead(reply: TunnelReply, accept: string): string {
  let head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;
  if (reply.protocol !== undefined) head += `Sec-WebSocket-Protocol: ${reply.protocol}\r\n`;
  if (reply.extensions !== undefined) head += `Sec-WebSocket-Extensions: ${reply.extensions}\r\n`;
  return `${head}${fieldLines(reply.headers)}\r\n`;
}

/** An interim answer (RFC 9110 §15.2). */
export function interimHead(status: number, headers: HeaderList): string {
  const reason = status === 100 ? "Continue" : status === 103 ? "Early Hints" : "Interim";
  return `HTTP/1.1 ${status} ${reason}\r\n${fieldLines(headers)}\r\n`;
}

/** Field lines as they are sent, each with its CR LF. */
export function fieldLines(headers: HeaderList): string {
  const { names, values } = headers;
  let text = "";
  for (let at = 0; at < names.length; at++) text += `${names[at]}: ${values[at]}\r\n`;
  return text;
}
