import type { ProxyProtocol } from "./proxy-header.ts";

/** How the health of an upstream's endpoints is found out, and what follows from it. */
export type HealthSettings = {
  /** Absent: no active checks. */
  readonly check?: CheckSettings;
  /** Absent: traffic that fails ejects nobody. */
  readonly ejection?: EjectionSettings;
  /** In percent: with fewer usable endpoints health is ignored and all are offered; 0 never does that. */
  readonly panic: number;
  /** What becomes of the open sessions of an endpoint whose checks fail. */
  readonly onUnhealthy: "keep" | "close";
};

/** Active checks, made by the control process. Times in milliseconds. */
export type CheckSettings = {
  readonly probe: ProbeSettings;
  /** What the connection of a probe begins with, unless the probe has a port of its own or speaks TLS. */
  readonly proxyProtocol?: ProxyProtocol;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How many checks in a row turn an unhealthy endpoint healthy, and a healthy one unhealthy; the first check decides alone. */
  readonly healthy: number;
  readonly unhealthy: number;
};

/** What one check does. `port` is that of the endpoint unless it is given. */
export type ProbeSettings = { readonly port?: number } & (
  | { readonly type: "tcp" }
  | ({ readonly type: "http" | "https"; readonly method: "GET" | "HEAD" | "OPTIONS" | "POST" } & HttpProbe & {
        readonly statuses: readonly StatusRange[];
        /** What the body of the answer must contain. */
        readonly contains?: string;
      })
  | ({ readonly type: "websocket"; readonly isSecure: boolean } & HttpProbe & {
        readonly protocol?: string;
        readonly exchange: WebSocketExchange;
      })
);

/** What the request of a probe says. `host` is the endpoint's address unless it is given. */
export type HttpProbe = { readonly path: string; readonly host?: string };

/** Both included. */
export type StatusRange = { readonly from: number; readonly to: number };

/** What has to happen after the handshake of a WebSocket probe: a ping is answered, or a text message brings this text (an echo without `expect`). */
export type WebSocketExchange =
  | { readonly kind: "ping" }
  | { readonly kind: "message"; readonly send: string; readonly expect?: string };

/** When traffic that fails takes an endpoint out. Counts are of failures in a row; 0 counts none. Times in milliseconds. */
export type EjectionSettings = {
  readonly connects: number;
  readonly handshakes: number;
  /** Answers 500 to 599 to requests. */
  readonly errors: number;
  /** Sessions whose upstream was lost within `sessionAgeMs` of opening. */
  readonly sessions: number;
  readonly sessionAgeMs: number;
  /** The first ejection takes so long, the second in a row twice as long, up to `longestMs`. */
  readonly timeMs: number;
  readonly longestMs: number;
  /** In percent of the endpoints: never more are ejected. */
  readonly most: number;
};
