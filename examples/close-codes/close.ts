/** How a session shall be closed; without a code the Close frame is empty, which a browser shows as 1005. */
export type Close = { readonly code: number | undefined; readonly reason: string };

const LEGAL =
  "a code that may be sent is 1000 to 1003, 1007 to 1014, or 3000 to 4999 (RFC 6455, section 7.4, and the registry); " +
  "code=none sends no code";

// RFC 6455, section 5.5: a control frame carries at most 125 bytes, and the code takes two of them.
const REASON_BYTES = 123;

/** Reads `?code=…&reason=…`; with neither it is 4321 "test". What may not be sent is a problem, said in a sentence. */
export function readClose(query: URLSearchParams): Close | { readonly problem: string } {
  for (const name of query.keys()) {
    if (name !== "code" && name !== "reason")
      return { problem: `there is no parameter ${JSON.stringify(name)}; use code and reason` };
    if (query.getAll(name).length > 1) return { problem: `${name} is given more than once` };
  }
  const code = query.get("code");
  const reason = query.get("reason") ?? (code === null ? "test" : "");
  if (code === "none") return reason === "" ? { code: undefined, reason } : { problem: "a reason needs a code" };
  if (code !== null && !(/^[0-9]{4}$/.test(code) && maySend(Number(code))))
    return { problem: `${JSON.stringify(code)} cannot be sent in a Close frame; ${LEGAL}` };
  const bytes = Buffer.byteLength(reason);
  if (bytes > REASON_BYTES) return { problem: `the reason has ${bytes} bytes; at most ${REASON_BYTES} fit` };
  return { code: code === null ? 4321 : Number(code), reason };
}

function maySend(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
