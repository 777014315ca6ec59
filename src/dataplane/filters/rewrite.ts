import { GatewayError } from "../../core/errors.ts";
import type { Exchange, Filter } from "../../core/exchange.ts";
import type { RewriteSettings } from "../../core/filter-settings.ts";
import { matchedPrefix } from "../../core/path-prefix.ts";
import { parseTarget, type Target } from "../../core/request-target.ts";
import { compileRegex } from "../../kit/regex.ts";
import type { PlacedParts } from "./parts.ts";

/** Changes the raw path on its way upstream; the query stays. */
export function createRewrite(settings: RewriteSettings, parts: PlacedParts): Filter {
  const rewrite = "prefix" in settings ? prefixRewrite(settings.prefix, parts) : regexRewrite(settings);
  return async (exchange, next) => {
    const target = parseTarget(exchange.target);
    // `*` is no path.
    if (!("problem" in target)) setTarget(exchange, rewrite(target), target.query);
    return next(exchange);
  };
}

/** Gives the new path; undefined leaves the path as it is. */
type PathRewrite = (target: Target) => string | undefined;

/** The part that the route's match names becomes `replacement`, with exactly one slash at the seam. */
function prefixRewrite(replacement: string, parts: PlacedParts): PathRewrite {
  const prefix = matchedPrefix(parts.route.match.path);
  const start = replacement.replace(/\/+$/, "");
  return ({ path, normalPath }) => {
    if (!isPrefix(prefix, normalPath)) return undefined;
    const rest = path.slice(rawLength(path, prefix.length)).replace(/^\/+/, "/");
    if (rest === "") return replacement;
    return start + rest;
  };
}

function regexRewrite(settings: { readonly regex: string; readonly replacement: string }): PathRewrite {
  const replace = compileRegex(settings.regex).replacer(settings.replacement);
  return ({ path }) => replace(path);
}

function setTarget(exchange: Exchange, path: string | undefined, query: string): void {
  if (path === undefined) return;
  const separator = path.includes("?") ? "&" : "?";
  const target = query === "" ? path : path + separator + query;
  const parsed = parseTarget(target);
  if ("problem" in parsed) throw badRewrite(parsed.problem);
  exchange.target = target;
}

function isPrefix(prefix: string, normalPath: string): boolean {
  if (!normalPath.startsWith(prefix)) return false;
  return normalPath.length === prefix.length || normalPath.charCodeAt(prefix.length) === 0x2f;
}

/** How many characters of the raw path make the first `length` ones of the normal path: `%61` there is `a` here. */
function rawLength(path: string, length: number): number {
  let at = 0;
  for (let count = 0; count < length; count++) at += isDecoded(path, at) ? 3 : 1;
  return at;
}

function isDecoded(path: string, at: number): boolean {
  return (
    path.charCodeAt(at) === 0x25 && /^%(2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)$/i.test(path.slice(at, at + 3))
  );
}

function badRewrite(problem: string): GatewayError {
  return new GatewayError("bad_target", "the path cannot be rewritten", {
    cause: new Error(`after the rewrite ${problem}`),
  });
}
