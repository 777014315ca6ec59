import { parseTarget } from "./request-target.ts";
import type { PathMatch } from "./snapshot.ts";

/** A configured path as it is compared with `RequestHead.path`. */
export function normalizePath(path: string): string {
  const target = parseTarget(path);
  return "problem" in target ? path : target.normalPath;
}

/** A path prefix as it is compared: normal, and without slashes at its end, so that `/` is empty and `/chat/` is `/chat`. */
export function normalizePrefix(prefix: string): string {
  const normal = normalizePath(prefix);
  let end = normal.length;
  while (normal.charCodeAt(end - 1) === 0x2f) end--;
  return normal.slice(0, end);
}

/** The part at the beginning of a request's normal path that a match names: what a prefix rewrite replaces. */
export function matchedPrefix(match: PathMatch): string {
  return match.kind === "exact" || match.kind === "prefix" ? normalizePrefix(match.value) : "";
}
