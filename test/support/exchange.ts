import type { Exchange, RequestHead, ResponseReply, TunnelReply } from "../../src/core/exchange.ts";
import { HeaderList } from "../../src/core/headers.ts";
import { parseAuthority } from "../../src/core/host.ts";
import { Parking } from "../../src/core/parking.ts";
import { parseTarget } from "../../src/core/request-target.ts";
import type { RouteMatch, RouteSettings } from "../../src/core/snapshot.ts";
import type { Wire } from "../../src/core/wire.ts";
import { Scope } from "../../src/kit/scope.ts";

/** What a made exchange shall be; the rest is plain. */
export type ExchangeParts = {
  readonly kind?: Exchange["kind"];
  readonly method?: string;
  readonly target?: string;
  readonly authority?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly isSecure?: boolean;
  readonly isFromTrustedProxy?: boolean;
  readonly peer?: string;
  readonly client?: string;
  readonly route?: RouteSettings;
};

/** An exchange without a connection, for tests of filters. */
export function makeExchange(parts: ExchangeParts = {}): Exchange {
  const head = makeHead(parts);
  const peer = { address: parts.peer ?? "192.0.2.1", port: 50_000 };
  return {
    id: "test",
    kind: parts.kind ?? "request",
    head,
    target: head.target,
    headers: head.headers.clone(),
    listener: "test",
    isSecure: parts.isSecure ?? false,
    peer,
    client: parts.client === undefined ? peer : { address: parts.client, port: 50_000 },
    isFromTrustedProxy: parts.isFromTrustedProxy ?? false,
    route: parts.route ?? makeRoute(),
    body: undefined,
    scope: new Scope(),
    signal: new AbortController().signal,
    startedAt: 0,
    interim() {},
    refuse(thrown) {
      throw thrown;
    },
    notes: { tries: 0 },
  };
}

/** The settings of a route that matches everything, but for `match`. */
export function makeRoute(match: Partial<RouteMatch> = {}, more: Partial<RouteSettings> = {}): RouteSettings {
  return {
    name: "test",
    match: { hosts: [], path: { kind: "any" }, methods: [], headers: [], query: [], ...match },
    filters: [],
    to: [],
    timeouts: { connectMs: 5_000, handshakeMs: 10_000, idleMs: 0, lifetimeMs: 0, closeMs: 5_000, requestMs: 60_000 },
    keepalive: { pingMs: 30_000, misses: 3 },
    closeCodes: { idle: 1001, lifetime: 1001, upstreamLost: 1014 },
    onChange: "keep",
    ...more,
  };
}

/** What an upstream would have answered: a 200, or for a handshake a tunnel. */
export function makeReply(
  kind: Exchange["kind"],
  headers: readonly (readonly [string, string])[] = [],
): ResponseReply | TunnelReply {
  const list = HeaderList.from(headers);
  if (kind === "request") return { kind: "response", status: 200, reason: "OK", headers: list, body: undefined };
  return {
    kind: "tunnel",
    headers: list,
    upstream: silentWire(),
    parked: new Parking(),
    protocol: undefined,
    extensions: undefined,
    upstreamName: "test",
    endpoint: "127.0.0.1:1",
  };
}

function makeHead(parts: ExchangeParts): RequestHead {
  const raw = parts.target ?? "/";
  const authority = parts.authority ?? "app.example";
  const target = parseTarget(raw);
  const headers = HeaderList.from([["Host", authority], ...(parts.headers ?? [])]);
  return {
    method: parts.method ?? "GET",
    target: raw,
    headers,
    authority,
    host: parseAuthority(authority)?.host ?? "",
    path: "problem" in target ? raw : target.normalPath,
    query: "problem" in target ? "" : target.query,
  };
}

function silentWire(): Wire {
  return {
    peer: { address: "127.0.0.1", port: 1 },
    queued: 0,
    isClosed: true,
    write: () => 0,
    writeFramed: () => 0,
    pause() {},
    resume() {},
    end() {},
    destroy() {},
    receiver: { onBytes() {}, onWritable() {}, onEnd() {}, onClose() {} },
  };
}
