import type { Body, BodyStream } from "./body.ts";
import type { HeaderList } from "./headers.ts";
import type { Parking } from "./parking.ts";
import type { Wire } from "./wire.ts";

/** A request as it goes out on a stream (RFC 9113 §8.3.1). */
export type StreamedRequest = {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  /** Path and query. */
  readonly path: string;
  /** True for a WebSocket handshake, which is an extended CONNECT (RFC 8441). */
  readonly isHandshake: boolean;
  readonly headers: HeaderList;
  readonly body: Body | undefined;
  /** How long the answer's head may take (ms); 0 waits for ever. The time in which the body still moves does not count. */
  readonly timeoutMs: number;
  readonly onInterim: (status: number, headers: HeaderList) => void;
};

/** The head of an answer; its body, if it has one, waits to be started. */
export type StreamedAnswer = {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: BodyStream | undefined;
  /** Given if a WebSocket was opened: its stream, and what receives for it until somebody else does. */
  readonly session?: { readonly wire: Wire; readonly parked: Parking };
};

/** One request on its stream. Disposing it ends the stream, also when that has become a session's. */
export interface StreamedExchange extends Disposable {
  /** Rejects with `upstream_lost`, `upstream_invalid` or `upstream_timeout`; one that can be retried was not looked at by the peer. */
  readonly answer: Promise<StreamedAnswer>;
  /** True once anything of the answer has come. */
  readonly hasHeard: boolean;
}

/** A connection to an endpoint that carries several exchanges at once. */
export interface SharedConnection {
  /** True if it takes one exchange more now. */
  readonly hasRoom: boolean;
  /** True if WebSockets can be opened on its streams. */
  readonly takesSessions: boolean;
  /** True once the upstream has said that it is to be asked over HTTP/1.1 (RFC 9113 §7, HTTP_1_1_REQUIRED). */
  readonly wantsHttp11: boolean;
  /** How many exchanges it has begun. */
  readonly served: number;
  /** Since when nothing is under way (ms of the monotonic clock); undefined while something is. */
  readonly idleSince: number | undefined;
  /** Called once, when it takes no exchanges any more. */
  onUnusable: (() => void) | undefined;
  /** Sends a request. There has to be room. */
  request(request: StreamedRequest): StreamedExchange;
  /** Takes no exchanges any more, and ends with the last one. */
  retire(): void;
}
