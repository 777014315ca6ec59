import { createHash, timingSafeEqual } from "node:crypto";
import { AdminError } from "./admin-error.ts";
import { isLoopbackAddress, isLoopbackAuthority } from "./loopback.ts";

/** Paths that probes ask for: open to everybody who can connect, and they say nothing but yes or no. */
const open: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** What the guard goes by: the token, if one is configured. */
export type Access = { readonly token: string | undefined };

/** Throws an AdminError for a request that may not pass; `remote` is the address it came from. */
export function guard(request: Request, remote: string | undefined, access: Access): void {
  if (request.headers.has("upgrade") || request.method === "CONNECT") {
    throw new AdminError(400, "upgrade_refused", "the admin API does not upgrade connections", { connection: "close" });
  }
  if (!open.has(new URL(request.url).pathname)) {
    if (access.token === undefined) requireLoopback(request, remote);
    else requireToken(request, access.token);
  }
  if (!safeMethods.has(request.method)) requireSameOrigin(request);
}

/** A page whose name was pointed at 127.0.0.1 (DNS rebinding) comes from a loopback address too, but under its own name. */
function requireLoopback(request: Request, remote: string | undefined): void {
  const isLocal = remote !== undefined && isLoopbackAddress(remote);
  if (isLocal && isLoopbackAuthority(request.headers.get("host") ?? "")) return;
  const says = "without admin.token only this machine may ask, under a loopback name such as localhost or 127.0.0.1";
  throw new AdminError(403, "forbidden", says);
}

function requireToken(request: Request, token: string): void {
  const given = /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (given !== undefined && isSame(given, token)) return;
  const says = "send the admin token: Authorization: Bearer <token>";
  throw new AdminError(401, "unauthorized", says, { "www-authenticate": 'Bearer realm="causeway"' });
}

/** Digests have one length, so the comparison takes one time. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(createHash("sha256").update(a).digest(), createHash("sha256").update(b).digest());
}

/** Browsers say where a request that changes something comes from; other clients send neither field. */
function requireSameOrigin(request: Request): void {
  const origin = request.headers.get("origin");
  const isForeign = origin !== null && !isOriginOf(origin, request.headers.get("host") ?? "");
  if (!isForeign && request.headers.get("sec-fetch-site") !== "cross-site") return;
  throw new AdminError(403, "forbidden_origin", "a page of another origin may not change anything here");
}

function isOriginOf(origin: string, host: string): boolean {
  const authority = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
  return authority !== undefined && authority.toLowerCase() === host.toLowerCase();
}
