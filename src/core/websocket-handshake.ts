import { hash } from "node:crypto";
import { randomText } from "../kit/random.ts";
import { GatewayError } from "./errors.ts";
import { HeaderList } from "./headers.ts";

/** RFC 6455 §1.3. */
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The Sec-WebSocket-Accept that belongs to a key (RFC 6455 §4.2.2). */
export function acceptFor(key: string): string {
  return hash("sha1", key + acceptSuffix, "base64");
}

/** A fresh Sec-WebSocket-Key: 16 random bytes. */
export function randomKey(): string {
  return randomText(16, "base64");
}

/** What an Upgrade header asks for: a WebSocket, something else (which is ignored), or nothing. */
export function upgradeKind(headers: HeaderList): "websocket" | "other" | "none" {
  const first = headers.get("upgrade");
  if (first === undefined) return "none";
  if (first === "websocket") return "websocket";
  return /(?:^|[\s,])websocket(?:$|[\s,/])/i.test(headers.all("upgrade").join(",")) ? "websocket" : "other";
}

/** Checks a request that asks for a WebSocket over HTTP/1.1 (RFC 6455 §4.2.1); throws `bad_handshake` or `upgrade_required`. */
export function checkHandshake(request: {
  method: string;
  version: number;
  headers: HeaderList;
  hasBody: boolean;
}): void {
  const { headers } = request;
  if (request.hasBody) throw bad("a WebSocket handshake has no body");
  if (request.method !== "GET") throw bad("a WebSocket handshake is a GET");
  if (request.version !== 11) throw bad("a WebSocket handshake needs HTTP/1.1");
  if (headers.count("upgrade") > 1 || headers.get("upgrade")?.toLowerCase() !== "websocket")
    throw bad("Upgrade must be websocket alone");
  if (!hasUpgradeOption(headers)) throw bad("Connection does not name Upgrade");
  if (headers.count("sec-websocket-version") !== 1 || headers.get("sec-websocket-version") !== "13")
    throw wrongVersion();
  const key = headers.get("sec-websocket-key") ?? "";
  if (headers.count("sec-websocket-key") !== 1 || !/^[A-Za-z0-9+/]{22}==$/.test(key))
    throw bad("Sec-WebSocket-Key is not 16 bytes in base64");
}

/** True if Connection has the option `upgrade`. */
export function hasUpgradeOption(headers: HeaderList): boolean {
  const first = headers.get("connection");
  // What browsers and most servers send.
  if (first === "Upgrade" || first === "upgrade") return true;
  return headers
    .all("connection")
    .some((value) => value.split(",").some((option) => option.trim().toLowerCase() === "upgrade"));
}

function bad(says: string): GatewayError {
  return new GatewayError("bad_handshake", says);
}

function wrongVersion(): GatewayError {
  const headers = HeaderList.from([["Sec-WebSocket-Version", "13"]]);
  return new GatewayError("upgrade_required", "the WebSocket version here is 13", { headers });
}
