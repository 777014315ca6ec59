/** A request-target in origin form (RFC 9112 §3.2.1), in its parts. */
export type Target = {
  /** The path byte for byte. */
  readonly path: string;
  /** The query without `?`, byte for byte; empty if there is none. */
  readonly query: string;
  /** The path with percent-encoded unreserved characters decoded (RFC 3986 §6.2.2.2) and nothing else changed: what routes match. */
  readonly normalPath: string;
};

/** The request-target `*` of OPTIONS, which asks the server in general and no resource of it (RFC 9110 §9.3.7). */
export const asterisk: Target = { path: "*", query: "", normalPath: "*" };

/** What is wrong with a request-target. */
export type TargetProblem = { readonly problem: string };

/**
 * Reads a request-target. What two programs could read as two different paths is a problem and not repaired: dot segments in any
 * spelling, backslashes, a leading `//`. Inner `//` and `%2F` are kept as they are.
 */
export function parseTarget(raw: string): Target | TargetProblem {
  if (raw.charCodeAt(0) !== slash) return { problem: "the request-target does not begin with /" };
  if (raw.charCodeAt(1) === slash) return { problem: "the path begins with //" };
  let isPlain = true;
  let at = 1;
  for (; at < raw.length; at++) {
    const code = raw.charCodeAt(at);
    const kind = code < 128 ? (kinds[code] as number) : kindForbidden;
    if (kind === kindPlain) continue;
    if (kind === kindQuery) break;
    if (kind === kindForbidden) return { problem: describeForbidden(code) };
    if (kind === kindPercent || raw.charCodeAt(at - 1) === slash) isPlain = false;
  }
  const path = raw.slice(0, at);
  const query = raw.slice(at + 1);
  const problem = findQueryProblem(query);
  if (problem !== undefined) return { problem };
  return isPlain ? { path, query, normalPath: path } : parseUnusualPath(path, query);
}

const slash = 0x2f;
const dot = 0x2e;
const semicolon = 0x3b;

const kindPlain = 0;
const kindForbidden = 1;
const kindQuery = 2;
const kindPercent = 3;
const kindDot = 4;

/** By ASCII code, for paths. */
const kinds = Uint8Array.from({ length: 128 }, (_, code) => {
  if (code <= 0x20 || code === 0x7f || code === 0x23 || code === 0x5c) return kindForbidden;
  if (code === 0x3f) return kindQuery;
  if (code === 0x25) return kindPercent;
  return code === dot ? kindDot : kindPlain;
});

/** Browsers leave a backslash and a lone % in a query as they are, and no router looks there for a path. */
function findQueryProblem(query: string): string | undefined {
  for (let at = 0; at < query.length; at++) {
    const code = query.charCodeAt(at);
    if (code <= 0x20 || code >= 0x7f || code === 0x23) return describeForbidden(code);
  }
  return undefined;
}

function describeForbidden(code: number): string {
  if (code === 0x23) return "the request-target holds a fragment (#)";
  if (code === 0x5c) return "the path holds a backslash";
  if (code === 0x20) return "the request-target holds a space";
  return `the request-target holds the character 0x${code.toString(16).padStart(2, "0")}`;
}

/** A path with percent-encoding, or with a segment that begins with a dot. */
function parseUnusualPath(path: string, query: string): Target | TargetProblem {
  let normalPath = "";
  let copied = 0;
  const segment = new SegmentCheck();
  for (let at = 0; at < path.length; at++) {
    let code = path.charCodeAt(at);
    if (code === 0x25) {
      code = hexValue(path.charCodeAt(at + 1)) * 16 + hexValue(path.charCodeAt(at + 2));
      if (Number.isNaN(code)) return { problem: "the path holds a % that no two hexadecimal digits follow" };
      if (code === 0) return { problem: "the path holds an encoded NUL (%00)" };
      if (code === 0x5c) return { problem: "the path holds an encoded backslash (%5C)" };
      if (isUnreserved(code)) {
        normalPath += path.slice(copied, at) + String.fromCharCode(code);
        copied = at + 3;
      }
      at += 2;
    }
    if (!segment.accepts(code)) return { problem: "the path holds a dot segment (. or ..)" };
  }
  if (!segment.accepts(slash)) return { problem: "the path holds a dot segment (. or ..)" };
  return { path, query, normalPath: normalPath + path.slice(copied) };
}

/**
 * Finds `.` and `..` between slashes, encoded ones (%2F) included. Behind a `;` stand parameters that Java servers cut off before they
 * resolve dots, so `..;x` is `..`.
 */
class SegmentCheck {
  #dots = 0;
  #isOther = false;
  #isParameter = false;

  /** Takes the next character, decoded; false if it ends a dot segment. */
  accepts(code: number): boolean {
    if (code === slash) {
      const isDots = this.#dots > 0 && this.#dots <= 2 && !this.#isOther;
      this.#dots = 0;
      this.#isOther = this.#isParameter = false;
      return !isDots;
    }
    if (code === semicolon) this.#isParameter = true;
    else if (!this.#isParameter && code === dot) this.#dots++;
    else if (!this.#isParameter) this.#isOther = true;
    return true;
  }
}

/** RFC 3986 §2.3. */
function isUnreserved(code: number): boolean {
  if (code >= 0x61 && code <= 0x7a) return true;
  if (code >= 0x41 && code <= 0x5a) return true;
  if (code >= 0x30 && code <= 0x39) return true;
  return code === 0x2d || code === dot || code === 0x5f || code === 0x7e;
}

/** NaN if it is no hexadecimal digit. */
function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : Number.NaN;
}
