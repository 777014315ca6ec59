import type { z } from "zod";
import type { ControlSettings } from "../../core/configuration.ts";
import { overlaps } from "../../core/listen-address.ts";
import { formatAddress } from "../../core/snapshot.ts";
import { nearest } from "../../kit/nearest.ts";
import { checkChoice } from "./choice-checks.ts";
import type { listenerSchema } from "./listeners.ts";
import { type Route, routeSchema, targetsOf } from "./routes.ts";
import { type Draft, type Entries, report } from "./sections.ts";
import { treeAt } from "./tree.ts";
import { warnOfUnreachable } from "./unreachable.ts";
import { speaksTls, type upstreamSchema } from "./upstreams.ts";

type Upstream = z.output<typeof upstreamSchema>;

/** Everything that the sections of a configuration come to. */
export type Parts = {
  readonly admin: ControlSettings["admin"] | undefined;
  readonly listeners: Entries<z.output<typeof listenerSchema>>;
  readonly upstreams: Entries<z.output<typeof upstreamSchema>>;
  readonly routes: Entries<Route>;
};

/** Checks what no part of a configuration can know by itself. */
export function checkAcross(draft: Draft, parts: Parts): void {
  checkListeners(draft, parts);
  for (const [name, { parts: route }] of parts.routes) {
    checkTargets(draft, name, route, parts.upstreams);
    checkFilters(draft, name, route);
  }
  for (const [name, { parts: upstream }] of parts.upstreams) {
    warnOfCheck(draft, name, upstream);
    checkProxyProtocol(draft, name, upstream);
    checkChoice(draft, name, upstream);
    checkEndpoints(draft, name, upstream);
    const weights = upstream.endpoints?.map((endpoint) => ("weight" in endpoint ? endpoint.weight : 1)) ?? [1];
    if (weights.length === 0 || weights.some((weight) => weight > 0)) continue;
    const says = "every endpoint has weight 0, so none takes anything";
    report(draft, ["upstreams", name, "endpoints"], { severity: "warning", says, try: "give one of them a weight" });
  }
  if (parts.routes.size === 0 && !draft.findings.isWrong(["routes"])) {
    const says = "there are no routes, so every request gets 404";
    report(draft, ["routes"], { severity: "warning", says, try: "add routes: { all: { to: name-of-an-upstream } }" });
  }
  // What cannot be read may be what uses an upstream, or what comes before a route.
  if (draft.findings.holdsWrong(["routes"])) return;
  warnOfUnused(draft, parts);
  warnOfUnreachable(draft, parts.routes);
}

function checkListeners(draft: Draft, { admin, listeners }: Parts): void {
  if (listeners.size === 0 && !draft.findings.isWrong(["listeners"])) {
    const says = "there are no listeners, so nobody can connect";
    report(draft, ["listeners"], { says, try: 'add listeners: { web: { address: ":8080" } }' });
  }
  const taken = new Map<string, string>();
  for (const [name, { parts: listener }] of listeners) {
    const { address, limits } = listener;
    if (listener.tls !== undefined && listener.redirectToHttps) {
      const says = "this listener speaks TLS itself";
      report(draft, ["listeners", name, "redirectToHttps"], {
        says,
        try: "leave it out, or put it on the one in the clear",
      });
    }
    if (limits !== undefined && limits.requestLine > limits.head) {
      const says = "the request line is a part of the head, and may be longer than all of it";
      report(draft, ["listeners", name, "limits"], { says, try: "write a head of at least requestLine" });
    }
    if (address === undefined || address.port === 0) continue;
    const key = formatAddress(address);
    const owner = taken.get(key) ?? (admin !== undefined && overlaps(admin, address) ? "the admin API" : undefined);
    if (owner !== undefined) {
      const says = `${key} is taken by ${owner}`;
      report(draft, ["listeners", name, "address"], { says, try: "choose another port" });
    }
    taken.set(key, `the listener ${name}`);
  }
}

function checkTargets(draft: Draft, name: string, route: Partial<Route>, upstreams: Parts["upstreams"]): void {
  const targets = targetsOf(route.to);
  for (const [at, { upstream }] of targets.entries()) {
    if (upstreams.has(upstream) || isMisread(draft, upstream)) continue;
    const meant = nearest(upstream, upstreams.keys());
    const place = whereNamed(draft, ["routes", name, "to"], at);
    report(draft, place, {
      says: `there is no upstream ${JSON.stringify(upstream)}`,
      try: meant === undefined ? `add it under upstreams` : `write ${meant}`,
    });
  }
  const answering = route.filters?.find((filter) => filter.type === "redirect" || filter.type === "respond");
  if (!namesTarget(draft, name) && route.filters !== undefined && answering === undefined) {
    const says = "nothing says where this route leads";
    draft.findings.addToKey(draft.root, ["routes", name], {
      says,
      try: "add to: name-of-an-upstream, or a redirect or respond filter",
    });
  }
  if (targets.length > 0 && answering !== undefined) {
    const says = `the filter ${answering.type} answers, so nothing gets to an upstream`;
    report(draft, ["routes", name, "to"], { severity: "warning", says, try: "remove one of the two" });
  }
  if (targets.length > 0 && targets.every((target) => target.weight === 0)) {
    const says = "every upstream has weight 0, so none takes anything";
    report(draft, ["routes", name, "to"], { severity: "warning", says, try: "give one of them a weight" });
  }
}

function checkProxyProtocol(
  draft: Draft,
  name: string,
  { endpoints, dns, tls, protocol, proxyProtocol }: Partial<Upstream>,
): void {
  if (proxyProtocol !== undefined && protocol === "h2") {
    const says = "a connection that begins with one client's address cannot be shared, as those of HTTP/2 are";
    report(draft, ["upstreams", name, "proxyProtocol"], { says, try: "remove it, or protocol: h2" });
  }
  if (proxyProtocol === undefined || endpoints === undefined || !speaksTls({ endpoints, dns, tls })) return;
  const says = "the PROXY protocol is not spoken with endpoints that speak TLS";
  report(draft, ["upstreams", name, "proxyProtocol"], { says, try: "remove it, or tls and https://" });
}

/** A check that speaks TLS to endpoints that do not, or the other way round, fails for ever. */
function warnOfCheck(draft: Draft, name: string, { endpoints, dns, tls, health }: Partial<Upstream>): void {
  if (endpoints === undefined || health === undefined || health.type === "tcp" || health.port !== undefined) return;
  const isSecure = speaksTls({ endpoints, dns, tls });
  const isCheckSecure = health.type === "https" || health.secure === true;
  if (isSecure === isCheckSecure) return;
  const says = isSecure
    ? "the endpoints speak TLS, and this check does not"
    : "this check speaks TLS, and the endpoints do not";
  const right = isSecure
    ? { websocket: "add secure: true", other: "https" }
    : { websocket: "remove secure", other: "http" };
  const problem = {
    severity: "warning",
    says,
    try: health.type === "websocket" ? right.websocket : `write type: ${right.other}`,
  } as const;
  report(draft, ["upstreams", name, "health", "type"], problem);
}

function checkEndpoints(draft: Draft, name: string, { endpoints, dns }: Partial<Upstream>): void {
  if (endpoints?.length !== 0 || dns !== undefined || draft.findings.holdsWrong(["upstreams", name, "dns"])) return;
  const instead = "write endpoints: [ 127.0.0.1:8888 ], or dns: app.internal:8888";
  const path = ["upstreams", name, "endpoints"];
  if (treeAt(draft.root, path) !== undefined) report(draft, path, { says: "this list is empty", try: instead });
  else draft.findings.addToKey(draft.root, ["upstreams", name], { says: "there are no endpoints", try: instead });
}

/** Is there such an upstream, or may there be one, in what could not be read? */
function isMisread({ findings }: Draft, upstream: string): boolean {
  return findings.isWrong(["upstreams"]) || findings.holdsWrong(["upstreams", upstream]);
}

/** Is there a `to`, however wrong it may be, or a key that was meant to be one and is reported as unknown? */
function namesTarget(draft: Draft, name: string): boolean {
  const known = Object.keys(routeSchema.shape);
  const keys = treeAt(draft.root, ["routes", name])?.members?.keys() ?? [];
  if (draft.findings.holdsWrong(["routes", name, "to"])) return true;
  return [...keys].some((key) => key === "to" || (!known.includes(key) && nearest(key, known) === "to"));
}

/** The path of the name in one target, whichever of its three forms `to` has. */
function whereNamed(draft: Draft, to: readonly string[], at: number): readonly (string | number)[] {
  const item = treeAt(draft.root, [...to, at]);
  if (item === undefined) return to;
  return item.members === undefined ? [...to, at] : [...to, at, "upstream"];
}

function checkFilters(draft: Draft, name: string, route: Partial<Route>): void {
  for (const [at, filter] of route.filters?.entries() ?? []) {
    if (filter.type !== "rewrite" || !("prefix" in filter) || route.match === undefined) continue;
    if (route.match.path.kind !== "regex") continue;
    const hint = "write rewrite: { regex: …, to: … }, or match a prefix";
    const says = "this replaces the prefix that was matched, and the route matches a regex";
    report(draft, ["routes", name, "filters", at, "rewrite", "prefix"], { says, try: hint });
  }
}

function warnOfUnused(draft: Draft, { routes, upstreams }: Parts): void {
  const used = new Set(
    [...routes.values()].flatMap(({ parts }) => targetsOf(parts.to).map((target) => target.upstream)),
  );
  for (const name of upstreams.keys()) {
    if (used.has(name)) continue;
    const problem = {
      severity: "warning",
      says: "no route leads here",
      try: "name it in the to of a route, or remove it",
    } as const;
    draft.findings.addToKey(draft.root, ["upstreams", name], problem);
  }
}
