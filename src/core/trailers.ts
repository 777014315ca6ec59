import { dashedName, HeaderList } from "./headers.ts";

/**
 * Fields that frame, route, modify, authenticate or describe a message (RFC 9110 §6.5.1), or say where it comes from: they were read, or
 * written by the gateway, before the first byte of the content, and a backend that merges trailers into headers would believe others.
 */
const refused: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "expect", "host", "keep-alive", "max-forwards", "te", "trailer"],
  ...["transfer-encoding", "upgrade", "http2-settings", "proxy-connection"],
  ...["authorization", "cookie", "proxy-authenticate", "proxy-authorization", "set-cookie", "www-authenticate"],
  ...["content-disposition", "content-encoding", "content-location", "content-range", "content-type", "range"],
  ...["age", "cache-control", "date", "expires", "location", "pragma", "retry-after", "vary"],
  ...["forwarded", "origin", "x-real-ip", "x-request-id"],
]);

const refusedFamily = /^(?:if|sec|access-control|x-forwarded)-/;

/** True for a field that may come behind the content. */
export function mayBeTrailer(name: string): boolean {
  const key = dashedName(name.toLowerCase());
  return !refused.has(key) && !refusedFamily.test(key);
}

/** The trailers without those of these names; undefined if none are left. */
export function withoutTrailers(
  trailers: HeaderList | undefined,
  names: readonly string[] | undefined,
): HeaderList | undefined {
  if (trailers === undefined || names === undefined) return trailers;
  const kept = HeaderList.from(trailers);
  for (const name of names) kept.delete(name);
  return kept.length === 0 ? undefined : kept;
}
