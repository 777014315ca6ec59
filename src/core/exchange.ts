import type { Scope } from "../kit/scope.ts";
import type { Body } from "./body.ts";
import type { GatewayError } from "./errors.ts";
import type { HeaderList } from "./headers.ts";
import type { Parking } from "./parking.ts";
import type { RouteSettings } from "./snapshot.ts";
import type { PeerAddress, Wire, WireSecurity } from "./wire.ts";

/** The head of a request, checked by the protocol that read it. */
export type RequestHead = {
  readonly method: string;
  /** The request-target's path and query byte for byte, beginning with `/`, or `*` of OPTIONS, which no route gets. */
  readonly target: string;
  readonly headers: HeaderList;
  /** The value of Host or :authority, as it came. */
  readonly authority: string;
  /** The same in lower case, without port, brackets and trailing dot; what routes match. */
  readonly host: string;
  /** The path in the form that routes match: percent-encoded unreserved characters are decoded, nothing else. */
  readonly path: string;
  /** The query without `?`, raw; empty if there is none. */
  readonly query: string;
};

/** One request, or one WebSocket handshake, on its way in. Filters may change `target` and `headers`. */
export type Exchange = {
  /** The request id: the client's if it comes from a trusted address, otherwise our own. */
  readonly id: string;
  readonly kind: "request" | "handshake";
  /** As it came. */
  readonly head: RequestHead;
  /** What goes upstream: path and query. */
  target: string;
  /** What goes upstream, before forward adds its own fields. */
  readonly headers: HeaderList;
  readonly listener: string;
  readonly isSecure: boolean;
  /** What the client's TLS handshake brought to light. */
  readonly security?: WireSecurity | undefined;
  /** Who sent the bytes. */
  readonly peer: PeerAddress;
  /** Who asked: the peer, or what trusted proxies say. */
  readonly client: PeerAddress;
  readonly isFromTrustedProxy: boolean;
  readonly route: RouteSettings;
  readonly body: Body | undefined;
  /** Borrowed things: disposed when the exchange ends, and for a session when the session ends. */
  readonly scope: Scope;
  /** Aborts when the client goes away or a deadline passes. */
  readonly signal: AbortSignal;
  /** Milliseconds of the monotonic clock. */
  readonly startedAt: number;
  /** Passes an interim answer (1xx but 101) on to the client. */
  interim(status: number, headers: HeaderList): void;
  /** Makes of a failure the gateway's own answer to it, of which log and metrics hear; for filters that change every answer. */
  refuse(thrown: unknown): ResponseReply;
  /** Filled in on the way, for the access log. */
  readonly notes: ExchangeNotes;
};

/** What the way through the gateway leaves for the log. */
export type ExchangeNotes = {
  upstream?: string;
  endpoint?: string;
  /** Upstream connections tried. */
  tries: number;
  /** The code of the GatewayError that ended it, or what a filter in report mode would have said. */
  error?: string;
  report?: string;
};

/** What an exchange ends in. */
export type Reply = ResponseReply | TunnelReply;

/** An upstream wire that may lead to another endpoint later. */
export interface Resumable {
  attach(frames: FramesSeen, onMoved: (endpoint: string) => void): void;
}

/** What a session knows of the frames that its upstream has sent. */
export interface FramesSeen {
  readonly isBetweenMessages: boolean;
  /** Nothing is read any more: a Close has come, or nonsense. */
  readonly isOver: boolean;
  /** Forgets the beginning of a frame whose rest will never come. */
  forgetHeld(): void;
}

/** An ordinary HTTP answer. */
export type ResponseReply = {
  readonly kind: "response";
  readonly status: number;
  /** The reason phrase; HTTP/2 drops it. */
  readonly reason: string;
  readonly headers: HeaderList;
  readonly body: Body | undefined;
  readonly trailers?: HeaderList;
};

/** A WebSocket whose upstream answered with a validated 101. */
export type TunnelReply = {
  readonly kind: "tunnel";
  /** The upstream's header fields for the client's 101, without the handshake's own and without hop-by-hop ones. */
  readonly headers: HeaderList;
  readonly upstream: Wire;
  /** What the exchange's scope holds because of `upstream`: a session closes its wires by itself. */
  readonly held?: Disposable;
  /** Receives for `upstream` until the session does: what came with the 101. */
  readonly parked: Parking;
  /** Values of Sec-WebSocket-Protocol and Sec-WebSocket-Extensions that the upstream chose. */
  readonly protocol: string | undefined;
  readonly extensions: string | undefined;
  /** Given if `upstream` outlives the connection to the endpoint: what it has to know of the session. */
  readonly resumable?: Resumable;
  readonly upstreamName: string;
  readonly endpoint: string;
};

/** A named step that wraps the rest of a route's way; it may answer itself, or change what goes in and what comes out. */
export type Filter = (exchange: Exchange, next: Next) => Promise<Reply>;

/** The rest of the way. */
export type Next = (exchange: Exchange) => Promise<Reply>;

/** What a protocol has read from a client: the beginning of an exchange. */
export type Incoming = {
  readonly kind: Exchange["kind"];
  readonly head: RequestHead;
  readonly body: Body | undefined;
  readonly peer: PeerAddress;
  readonly security?: WireSecurity | undefined;
  /** Who gets the reply. */
  readonly sink: ReplySink;
};

/** The connection or stream that an exchange is answered on. */
export interface ReplySink {
  /** An interim answer (1xx but 101). */
  onInterim(open: OpenExchange, status: number, headers: HeaderList): void;
  /** Called once, after `begin` has returned; a failure is an error reply. Must not throw. */
  onReply(open: OpenExchange, reply: Reply): void;
}

/** What became of an answer on its way to the client. */
export type Outcome = {
  readonly status: number;
  /** Body bytes that were read from the client, and written to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Why it was not delivered whole. */
  readonly error: GatewayError | undefined;
};

/** An exchange as the protocol that serves the client sees it. One of `finish` and `openSession` ends it. */
export interface OpenExchange {
  /** The longest pause of a body that the client neither sends nor takes (ms); 0 is no limit. */
  readonly stallMs: number;
  /** True if its connection shall end with the answer, because what it asked for is being drained. */
  readonly isLast: boolean;
  /** The client is gone, or the exchange took too long: lets go of all it has borrowed. */
  abort(error: GatewayError): void;
  finish(outcome: Outcome): void;
  /** Makes of a failure the gateway's own answer to it, in the place of one that cannot be given. */
  refuse(thrown: unknown): ResponseReply;
  /** The client has its 101: its wire, and what it sent early, belong to the session from now on. */
  openSession(reply: TunnelReply, client: Wire, early: Parking): void;
}

/** The gateway, as the protocols that serve clients see it. */
export interface ExchangeHost {
  begin(incoming: Incoming): OpenExchange;
  /** Something that is no exchange, because its head is bad or late: answers it and logs it. */
  refuse(error: GatewayError, peer: PeerAddress): ResponseReply;
  /** An invariant of ours is broken, which costs one connection. */
  onFault(error: unknown): void;
}
