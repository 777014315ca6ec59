import { randomUUID } from "node:crypto";
import type { HeaderList } from "../core/headers.ts";

/** The id of a request: the one a trusted proxy gave it, or a new one. */
export function requestId(headers: HeaderList, isTrusted: boolean): string {
  const given = isTrusted ? headers.get("x-request-id") : undefined;
  return given !== undefined && /^[A-Za-z0-9._:/+=@-]{1,128}$/.test(given) ? given : randomUUID();
}
