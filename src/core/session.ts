/** What a session carried in one direction. Bytes are payload bytes; control frames count as frames, not as messages. */
export type Traffic = {
  readonly messages: number;
  readonly frames: number;
  readonly bytes: number;
  readonly pings: number;
  readonly pongs: number;
};

/** Why a session ended. */
export type EndReason =
  /** A peer began the closing handshake. */
  | "closed"
  | "client_lost"
  | "upstream_lost"
  | "idle_timeout"
  | "lifetime"
  | "dead_peer"
  | "protocol_error"
  | "drain"
  | "admin"
  | "config"
  /** The checks of its endpoint failed, and `onUnhealthy` says `close`. */
  | "unhealthy"
  | "internal";

/** How a session ended. A code of 1005 means a Close without code; no code means that no Close came or was sent. */
export type SessionEnd = {
  readonly reason: EndReason;
  readonly initiator: "client" | "upstream" | "gateway";
  /** In the Close frame from the client, and in the one sent to it. */
  readonly clientCode?: number;
  readonly sentToClient?: number;
  /** In the Close frame from the upstream, and in the one sent to it. */
  readonly upstreamCode?: number;
  readonly sentToUpstream?: number;
  readonly closeReason?: string;
  /** What exactly was wrong, for `protocol_error` and lost legs. */
  readonly detail?: string;
  /** True if both closing handshakes were completed in time. */
  readonly isClean: boolean;
};

/** What can be said of an open session. Times are Unix milliseconds. */
export type SessionSummary = {
  readonly id: string;
  /** The worker that has it; the control process knows. */
  readonly worker?: string;
  readonly requestId: string;
  readonly state: "open" | "closing";
  readonly route: string;
  readonly upstream: string;
  readonly endpoint: string;
  readonly listener: string;
  /** `address:port` of who asked. */
  readonly client: string;
  readonly host: string;
  readonly path: string;
  readonly protocol?: string;
  readonly openedAt: number;
  readonly lastActivityAt: number;
  /** The snapshot whose settings it runs under. */
  readonly revision: number;
  readonly fromClient: Traffic;
  readonly fromUpstream: Traffic;
  /** Bytes waiting because a peer reads slowly. */
  readonly queuedToClient: number;
  readonly queuedToUpstream: number;
  /** Milliseconds between the last answered ping and its pong. */
  readonly clientRttMs?: number;
  readonly upstreamRttMs?: number;
};

/** Which sessions are meant; all conditions hold together. `client` compares with the address, with or without its port. */
export type SessionFilter = {
  readonly id?: string;
  /** The worker that has it, which the control process knows. */
  readonly worker?: string;
  readonly route?: string;
  readonly upstream?: string;
  readonly endpoint?: string;
  readonly listener?: string;
  readonly client?: string;
  readonly host?: string;
  readonly state?: "open" | "closing";
};
