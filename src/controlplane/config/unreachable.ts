import { normalizePath, normalizePrefix } from "../../core/path-prefix.ts";
import type { PathMatch, RouteMatch, ValueMatch } from "../../core/snapshot.ts";
import { compileRegex } from "../../kit/regex.ts";
import type { Route } from "./routes.ts";
import type { Draft, Entries } from "./sections.ts";

/** Warns of routes that can never match, because every request for them has another route that comes first. */
export function warnOfUnreachable(draft: Draft, routes: Entries<Route>): void {
  const named: NamedMatch[] = [];
  for (const [name, { parts }] of routes) {
    if (parts.match !== undefined) named.push({ name, match: parts.match, cases: casesOf(parts.match) });
  }
  // Among routes that are alike in everything, the name decides.
  named.sort((a, b) => (a.name < b.name ? -1 : 1));
  const first = firstByCase(named);
  const prefixes = unconditionalPrefixes(named);
  for (const { name, match, cases } of named) {
    const winners = cases.map((key) => first.get(key));
    const winner = coveredBy(winners, name) ?? prefixBefore(match, prefixes);
    if (winner === undefined) continue;
    draft.findings.addToKey(draft.root, ["routes", name], {
      severity: "warning",
      says: `this can never match, because the route ${winner} matches the same before`,
      try: "change what one of them matches, or remove one",
    });
  }
}

type NamedMatch = { readonly name: string; readonly match: RouteMatch; readonly cases: readonly string[] };

function firstByCase(routes: readonly NamedMatch[]): ReadonlyMap<string, string> {
  const first = new Map<string, string>();
  for (const { name, cases } of routes) for (const key of cases) if (!first.has(key)) first.set(key, name);
  return first;
}

/** A route as single cases, one host and one method each; two routes with a case in common compete for it. */
function casesOf(match: RouteMatch): readonly string[] {
  const conditions = [keyOfPath(match.path), keyOfValues(match.headers), keyOfValues(match.query)].join("\n");
  const methods = match.methods.length === 0 ? [""] : match.methods;
  return hostsOf(match).flatMap((host) => methods.map((method) => `${host}\n${method}\n${conditions}`));
}

function hostsOf(match: RouteMatch): readonly string[] {
  return match.hosts.length === 0 ? [""] : match.hosts;
}

function keyOfPath(path: PathMatch): string {
  if (path.kind === "any") return "any";
  if (path.kind === "regex") return `regex ${path.value}`;
  return `${path.kind} ${path.kind === "exact" ? normalizePath(path.value) : normalizePrefix(path.value)}`;
}

function keyOfValues(values: readonly ValueMatch[]): string {
  if (values.length === 0) return "";
  return JSON.stringify(values.map(({ name, test }) => [name, test.kind, "value" in test ? test.value : ""]).sort());
}

/** Who wins all the cases, if none of them is won by the route itself. */
function coveredBy(winners: readonly (string | undefined)[], name: string): string | undefined {
  return winners.includes(name) ? undefined : winners[0];
}

/** For each host the prefixes whose route takes everything below them. */
function unconditionalPrefixes(routes: readonly NamedMatch[]): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const byHost = new Map<string, Map<string, string>>();
  for (const { name, match } of routes) {
    const { path, methods, headers, query } = match;
    if (path.kind !== "prefix" || methods.length + headers.length + query.length > 0) continue;
    for (const host of hostsOf(match)) {
      const prefixes = byHost.get(host) ?? new Map<string, string>();
      const prefix = normalizePrefix(path.value);
      if (!prefixes.has(prefix)) byHost.set(host, prefixes.set(prefix, name));
    }
  }
  return byHost;
}

/** Prefixes come before regular expressions, so one that all matches of a regular expression begin with takes them all. */
function prefixBefore(
  match: RouteMatch,
  prefixes: ReadonlyMap<string, ReadonlyMap<string, string>>,
): string | undefined {
  if (match.path.kind !== "regex" || prefixes.size === 0) return undefined;
  const { literalPrefix } = compileRegex(match.path.value);
  const winners = hostsOf(match).map((host) => {
    const parents = parentsOf(literalPrefix).map((parent) => prefixes.get(host)?.get(parent));
    return parents.find((winner) => winner !== undefined);
  });
  return winners.includes(undefined) ? undefined : winners[0];
}

/** `/a` and `/a/b` for `/a/b/c`: the paths that are complete segments of the text. */
function parentsOf(path: string): readonly string[] {
  const parents: string[] = [];
  for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) parents.push(path.slice(0, at));
  return parents;
}
