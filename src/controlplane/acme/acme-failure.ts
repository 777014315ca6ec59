/** Why an authority gives no certificate, or does not answer. */
export class AcmeFailure extends Error {
  /** The last word of the problem's type (RFC 8555 §6.7): `rateLimited`; empty if it has none. */
  readonly type: string;
  /** How long the authority wants to be left alone (ms). */
  readonly retryAfterMs: number | undefined;

  constructor(
    says: string,
    more: { readonly type?: string; readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(says, more.cause === undefined ? {} : { cause: more.cause });
    this.name = "AcmeFailure";
    this.type = more.type ?? "";
    this.retryAfterMs = more.retryAfterMs;
  }
}

/** A problem document (RFC 7807) as a failure. */
export function failureOf(
  problem: unknown,
  where: { readonly what: string; readonly retryAfterMs?: number | undefined },
): AcmeFailure {
  const { type, detail, subproblems } = membersOf(problem);
  const word = typeof type === "string" ? type.slice(type.lastIndexOf(":") + 1) : "";
  const parts = [detail, ...(Array.isArray(subproblems) ? subproblems.map((one) => membersOf(one).detail) : [])];
  const says = parts.filter((part) => typeof part === "string" && part !== "").join("; ");
  return new AcmeFailure(`${where.what}: ${says || word || "no reason is given"}`, { ...where, type: word });
}

/** The members of what should be a JSON object. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  // Whoever reads a member checks its type.
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** How long an answer says to wait (RFC 9110 §10.2.3), in ms: seconds, or a date. */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
