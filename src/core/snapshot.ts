import type {
  BalanceSettings,
  KeySource,
  RebalanceSettings,
  SlowStartSettings,
  StickySettings,
  ZoneSettings,
} from "./balance-settings.ts";
import type { DnsDiscovery } from "./discovery-settings.ts";
import type { FilterSettings } from "./filter-settings.ts";
import type { HealthSettings } from "./health-settings.ts";
import type { ProxyProtocol } from "./proxy-header.ts";
import type { KeyPair, ListenerTls, UpstreamTls } from "./tls-settings.ts";

/** The whole desired state of the data plane: checked, frozen, numbered, and plain data that can cross to another process. */
export type Snapshot = {
  readonly revision: number;
  readonly listeners: readonly ListenerSettings[];
  readonly routes: readonly RouteSettings[];
  readonly upstreams: readonly UpstreamSettings[];
  /** What listeners and upstreams name by id. Holds private keys, and is shown to nobody. */
  readonly certificates?: readonly KeyPair[];
  /** The secret that cookies are signed with. It is shown to nobody either. */
  readonly cookieKey?: string;
};

/** A bound address and port. All times are in milliseconds, all sizes in bytes; 0 switches a limit off. */
export type ListenerSettings = {
  readonly name: string;
  /** An IPv4 or IPv6 literal without brackets; `0.0.0.0` and `::` mean every interface. */
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Addresses and CIDR ranges whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are believed. */
  readonly trustedProxies: readonly string[];
  /** Addresses and ranges of proxies that begin every connection with a PROXY header; absent: none. */
  readonly proxyProtocol?: readonly string[];
  /** Everything is sent to this port over TLS (308). */
  readonly httpsPort?: number;
  /** Without it the listener speaks in the clear. */
  readonly tls?: ListenerTls;
  /** Given if HTTP/2 is spoken: over TLS with clients that choose it, in the clear with clients that begin with it. */
  readonly http2?: {
    /** Streams open at once on one connection. */
    readonly streams: number;
    /** Streams of one connection that its client may abort per second. */
    readonly resetsPerSecond: number;
    /** True if WebSockets may be opened on streams (RFC 8441). */
    readonly webSockets: boolean;
  };
  readonly timeouts: {
    /** From the first byte of a connection, or of its next request, to the end of the head (408). */
    readonly headMs: number;
    /** How long a connection may wait for its next request. */
    readonly keepAliveMs: number;
  };
  readonly limits: {
    /** Bytes of the request line (414). */
    readonly requestLine: number;
    /** Bytes of the request line and all header lines (431). */
    readonly head: number;
    /** Header lines (431). */
    readonly headers: number;
    /** Connections open at once; past it a new one gets 503. */
    readonly connections: number;
    /** Connections without a complete head, and handshakes without an answer, at once; past it a new one gets 503. */
    readonly pending: number;
    /** The same for one client address (429). */
    readonly pendingPerAddress: number;
    /** WebSocket handshakes a second, of all workers together; past it one gets 503. Absent: any number. */
    readonly handshakesPerSecond?: number;
  };
};

/** What to match, what to do on the way, where to send it. */
export type RouteSettings = {
  readonly name: string;
  readonly match: RouteMatch;
  readonly filters: readonly FilterSettings[];
  /** Empty where a filter (`redirect`, `respond`) gives the answer. Weights are relative and may be 0. */
  readonly to: readonly WeightedUpstream[];
  /** What the choice among several upstreams depends on; absent: they come in turn. */
  readonly split?: KeySource;
  readonly timeouts: RouteTimeouts;
  readonly keepalive: {
    /** How often a silent leg of a session is pinged; 0 is off. */
    readonly pingMs: number;
    /** After how many unanswered intervals a leg counts as dead. */
    readonly misses: number;
  };
  readonly closeCodes: RouteCloseCodes;
  /** What happens to open sessions when this route changes or goes. A deleted route drains unless it says `close`. */
  readonly onChange: "keep" | "drain" | "close";
  /** Absent: a session ends with its upstream. */
  readonly resume?: ResumeSettings;
  /** `usualRetry` unless it is given. */
  readonly retry?: RetrySettings;
};

/** When an exchange is tried on another endpoint; never on the same one twice, and never after anything of it may have had an effect. */
export type RetrySettings = {
  /** Endpoints that are tried at most; 1 tries no other one. */
  readonly tries: number;
  /** How many exchanges in a hundred may be tried again, in the long run; 0 is none. */
  readonly budget: number;
  /** Statuses of refused WebSocket handshakes for which another endpoint is tried. */
  readonly handshakes: readonly number[];
};

/** How a session goes on when its upstream is lost. */
export type ResumeSettings = {
  /** How long another endpoint is looked for (ms). */
  readonly withinMs: number;
  /** What the client may send meanwhile, and what is kept to be sent again (bytes each). */
  readonly bufferBytes: number;
  /** The first messages of the client that another endpoint gets again. */
  readonly replay: number;
};

/** What holds for routes that say nothing about it. */
export const usualRetry: RetrySettings = { tries: 3, budget: 20, handshakes: [] };

/** What a request has to be like for a route; all of it has to hold. */
export type RouteMatch = {
  /** Lower-case host names: exact, `*.example.com` (one or more labels), or empty for any host. */
  readonly hosts: readonly string[];
  readonly path: PathMatch;
  /** Upper-case methods; empty for any. A WebSocket handshake counts as GET. */
  readonly methods: readonly string[];
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
};

/** `prefix` ends on a segment border (`/chat` matches `/chat` and `/chat/x`, not `/chats`); a regex matches the whole path. */
export type PathMatch =
  | { readonly kind: "any" }
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly value: string };

/** A condition on a header (name in lower case) or query parameter (name as it is). */
export type ValueMatch = {
  readonly name: string;
  readonly test:
    | { readonly kind: "present" }
    | { readonly kind: "absent" }
    | { readonly kind: "exact"; readonly value: string }
    | { readonly kind: "regex"; readonly value: string };
};

/** One of the upstreams of a route, and its share in relation to the others. */
export type WeightedUpstream = { readonly upstream: string; readonly weight: number };

/** Milliseconds; 0 switches one off. */
export type RouteTimeouts = {
  /** TCP connect to one endpoint. */
  readonly connectMs: number;
  /** WebSocket: from the client's complete handshake to the validated 101 (504). */
  readonly handshakeMs: number;
  /** WebSocket: no frame from either side. */
  readonly idleMs: number;
  /** WebSocket: age of a session. */
  readonly lifetimeMs: number;
  /** WebSocket: how long a Close, and then the end of the TCP connection, may take. */
  readonly closeMs: number;
  /** HTTP: from the request to the head of its answer (504), and the longest pause of a body that one side neither sends nor takes. */
  readonly requestMs: number;
};

/** The codes of Close frames that the gateway makes itself. */
export type RouteCloseCodes = {
  readonly idle: number;
  readonly lifetime: number;
  readonly upstreamLost: number;
};

/** A named group of endpoints. */
export type UpstreamSettings = {
  readonly name: string;
  readonly endpoints: readonly EndpointSettings[];
  /** Where more endpoints are found; the control process adds them. */
  readonly dns?: DnsDiscovery;
  readonly balance: BalanceSettings;
  /** Absent: a client may get another endpoint each time. */
  readonly sticky?: StickySettings;
  /** Absent: endpoints that are new or back get their full share at once. */
  readonly slowStart?: SlowStartSettings;
  /** Absent: open sessions stay where they are. */
  readonly rebalance?: RebalanceSettings;
  /** Absent: all zones are alike. */
  readonly zones?: ZoneSettings;
  /** Percent of usable endpoints below which those that stand by are offered too; 1 unless it is given. */
  readonly standbyBelow?: number;
  /** What a connection to an endpoint begins with; such connections are not used again, since they are one client's. */
  readonly proxyProtocol?: ProxyProtocol;
  /** `h2` is HTTP/2, over TLS if the endpoint chooses it, and in the clear in any case; absent: HTTP/1.1. */
  readonly protocol?: "h2";
  /** How endpoints that are `isSecure` are spoken to. */
  readonly tls?: UpstreamTls;
  /** Idle HTTP connections kept for reuse. */
  readonly pool: { readonly idle: number; readonly idleMs: number };
  /** Absent: nothing is checked, nobody is ejected, and nobody panics. */
  readonly health?: HealthSettings;
  /** What this upstream, and each of its endpoints, takes at once: sessions and requests of all workers, connects of each. */
  readonly limits?: CircuitLimits;
  readonly endpointLimits?: CircuitLimits;
  /** How long the sessions of an endpoint that goes have (ms); null: they stay. Absent: as long as in every other drain. */
  readonly drainMs?: number | null;
};

/** What may be under way at once; absent: any number. Past it an exchange gets 503 without having waited. */
export type CircuitLimits = {
  /** Open sessions, handshakes under way included. */
  readonly sessions?: number;
  readonly requests?: number;
  /** Connections that are being made. */
  readonly connects?: number;
};

/** One address of an upstream; `host` is a name, an address literal without brackets, or `unix:` and a path (the port is 0 then). */
export type EndpointSettings = {
  readonly host: string;
  readonly port: number;
  /** True if it speaks TLS. */
  readonly isSecure?: boolean;
  /** 1 to 1000; 0 takes no new exchanges. */
  readonly weight: number;
  /** True if it is used only when too few of the others are usable. */
  readonly isStandby?: boolean;
  readonly zone?: string;
};

/** `host:port`, with brackets round an IPv6 address; a Unix socket as it is configured. */
export function formatAddress(address: { readonly host: string; readonly port: number }): string {
  const { host, port } = address;
  if (isSocketPath(host)) return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for the host of an endpoint that is a Unix socket. */
export function isSocketPath(host: string): boolean {
  return host.startsWith("unix:");
}

/** Where a socket of an endpoint connects to, in the words that Bun and Node share. */
export function connectTarget({ host, port }: { readonly host: string; readonly port: number }): ConnectTarget {
  return isSocketPath(host) ? { path: host.slice("unix:".length) } : { host, port };
}

/** A Unix socket, or a host and port. */
export type ConnectTarget = { readonly path: string } | { readonly host: string; readonly port: number };

/** What stands in Host for an endpoint that was asked for nothing else. */
export function authorityOf(address: string): string {
  return isSocketPath(address) ? "localhost" : address;
}
