import type { HeaderList } from "../../core/headers.ts";

/** `X-Forwarded-Prefix`, `-Ssl`, `-Server` and their like, in every spelling that a backend may take for one of them. */
const forwarded = /^x[-_.]forwarded[-_.]/;
const letterX = 0x78;

/**
 * Removes what a client that is no trusted proxy claims about the way of its request. The gateway writes only some of these fields
 * itself, but frameworks believe all of them.
 */
export function removeForwardedClaims(headers: HeaderList): void {
  const { keys } = headers;
  for (let at = keys.length - 1; at >= 0; at--) {
    const key = keys[at] as string;
    if (key.charCodeAt(0) === letterX && forwarded.test(key)) headers.removeAt(at);
  }
}
