import type { SessionEnd, Traffic } from "./session.ts";

/** What the access log says of one exchange or session. Times are Unix milliseconds, durations milliseconds, sizes bytes. */
export type AccessRecord = HttpRecord | SessionOpenRecord | SessionCloseRecord;

/** Who asked for what, and where it went. */
export type AccessSubject = {
  readonly requestId: string;
  readonly listener: string;
  /** `address:port` of who asked. */
  readonly client: string;
  readonly host: string;
  readonly method: string;
  /** Path and query as they came; the log redacts query values. */
  readonly target: string;
  readonly route?: string;
  readonly upstream?: string;
  readonly endpoint?: string;
};

type Common = AccessSubject & { readonly at: number };

/** An HTTP exchange has ended, or a handshake was refused. */
export type HttpRecord = Common & {
  readonly kind: "http";
  readonly isHandshake: boolean;
  readonly status: number;
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly tries: number;
  readonly error?: string;
  readonly report?: string;
  /** Why, for the operator; never sent to the client. */
  readonly cause?: string;
};

/** A session has opened. */
export type SessionOpenRecord = Common & {
  readonly kind: "session-open";
  readonly session: string;
  readonly protocol?: string;
  readonly handshakeMs: number;
  readonly tries: number;
  readonly report?: string;
};

/** A session has ended. */
export type SessionCloseRecord = Common & {
  readonly kind: "session-close";
  readonly session: string;
  readonly protocol?: string;
  readonly durationMs: number;
  readonly end: SessionEnd;
  readonly fromClient: Traffic;
  readonly fromUpstream: Traffic;
  /** How often it went on with another endpoint after it had lost its own. */
  readonly resumptions?: number;
};
