import { asGatewayError, GatewayError } from "../../core/errors.ts";
import type {
  ExchangeHost,
  OpenExchange,
  Outcome,
  Reply,
  ReplySink,
  ResponseReply,
  TunnelReply,
} from "../../core/exchange.ts";
import { HeaderList } from "../../core/headers.ts";
import { Parking } from "../../core/parking.ts";
import type { Receiver } from "../../core/wire.ts";
import { Deadline, type DeadlineOwner } from "../../kit/deadline.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { ContentWriter } from "./content-writer.ts";
import { errorCode } from "./frames.ts";
import { encodeHeaders } from "./header-encoder.ts";
import type { StreamRequest } from "./request-head.ts";
import type { Stream } from "./stream.ts";
import { StreamBody, type StreamBodyOwner } from "./stream-body.ts";

/** What a client may send before its handshake is answered (bytes). */
const maxEarlyBytes = 65_536;

/** What an exchange needs of its connection. */
export type ExchangeParts = {
  readonly host: ExchangeHost;
  readonly wheel: TimerWheel;
  /** Several frames that are sent inside go in one write. */
  readonly together: (send: () => void) => void;
  /** Hears when a handshake begins and stops to wait for its answer. */
  readonly onPending: (isPending: boolean) => void;
  /** What was asked for is being drained. */
  readonly onLast: () => void;
};

/** One request or handshake on a stream, from its head to the end of the stream, or until a session takes that over. */
export class StreamExchange implements Receiver, ReplySink, DeadlineOwner, StreamBodyOwner {
  readonly #stream: Stream;
  readonly #parts: ExchangeParts;
  readonly #request: StreamRequest;
  readonly #deadline: Deadline;
  readonly #body: StreamBody | undefined;
  readonly #early: Parking | undefined;
  #open: OpenExchange | undefined;
  #stallMs = 0;
  #writer: ContentWriter | undefined;
  #hasAnswered = false;
  #isHeadOnly = false;
  #isPending = false;
  #bodyBytesBefore = 0;

  /** `isWhole` says that the head was all there is. */
  constructor(stream: Stream, request: StreamRequest, parts: ExchangeParts, how: { readonly isWhole: boolean }) {
    this.#stream = stream;
    this.#request = request;
    this.#parts = parts;
    this.#deadline = new Deadline(parts.wheel, this);
    const { kind, length } = request;
    if (kind === "handshake") this.#early = new Parking(() => this.#checkEarly());
    else if (!how.isWhole) this.#body = new StreamBody(stream, { length, owner: this, badCode: "bad_request" });
  }

  start(): void {
    const { host } = this.#parts;
    const { kind, head } = this.#request;
    this.#stream.receiver = this;
    this.#setPending(kind === "handshake");
    const open = host.begin({
      kind,
      head,
      body: this.#body,
      peer: this.#stream.peer,
      security: this.#stream.security,
      sink: this,
    });
    this.#open = open;
    this.#stallMs = open.stallMs;
    if (this.#body !== undefined) this.#awaitProgress();
  }

  onInterim(open: OpenExchange, status: number, headers: HeaderList): void {
    if (this.#open === open && !this.#hasAnswered) this.#stream.sendHeaders(encodeHeaders(headers, status), false);
  }

  onReply(open: OpenExchange, reply: Reply): void {
    this.#parts.together(() => this.#answer(open, reply));
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#early !== undefined) this.#early.onBytes(bytes);
    else this.#body?.feed(bytes);
  }

  onWritable(): void {
    this.#writer?.onWritable();
    if (this.#writer?.isDone === true) this.#stopUpload();
  }

  /** A client that ends its direction before its handshake is answered does not want it any more. */
  onEnd(): void {
    if (this.#early !== undefined && !this.#hasAnswered) return this.#clientGone();
    this.#body?.end(this.#stream.trailers);
  }

  onClose(): void {
    if (this.#isWhole) this.#leave();
    else this.#clientGone();
  }

  /** True once the answer is given to the stream to its end. */
  get #isWhole(): boolean {
    return this.#isHeadOnly || this.#writer?.isDone === true;
  }

  #checkEarly(): void {
    const early = this.#early;
    if (early === undefined || this.#hasAnswered || early.bytes <= maxEarlyBytes) return;
    this.#stream.pause();
    const says = `more than ${maxEarlyBytes} bytes came before the handshake was answered`;
    this.#open?.abort(new GatewayError("early_data_too_long", says));
  }

  #answer(open: OpenExchange, reply: Reply): void {
    if (this.#open !== open) return;
    try {
      if (open.isLast) this.#parts.onLast();
      if (reply.kind === "tunnel") this.#openSession(open, reply);
      else this.#respond(open, this.#isFalseConsent(reply) ? refuseConsent(open, reply) : reply);
    } catch (thrown) {
      this.#fail(open, thrown);
    }
  }

  /** An invariant of ours is broken: this stream pays for it, and nobody else. */
  #fail(open: OpenExchange, thrown: unknown): void {
    this.#parts.host.onFault(thrown);
    const error = asGatewayError(thrown);
    open.abort(error);
    this.#leave();
    if (this.#open === open) this.#finish(open, this.#outcome(error.status, error));
    this.#stream.reset(errorCode.internal);
  }

  /** RFC 8441 §5: 200 takes the place of 101, and there is no key to answer. */
  #openSession(open: OpenExchange, reply: TunnelReply): void {
    const headers = HeaderList.from(reply.headers);
    if (reply.protocol !== undefined) headers.add("sec-websocket-protocol", reply.protocol);
    if (reply.extensions !== undefined) headers.add("sec-websocket-extensions", reply.extensions);
    this.#hasAnswered = true;
    this.#stream.sendHeaders(encodeHeaders(headers, 200), false);
    this.#leave();
    this.#stream.resume();
    this.#open = undefined;
    open.openSession(reply, this.#stream, this.#early ?? new Parking());
  }

  /** To a client of RFC 8441 every 2xx says that its WebSocket is open. */
  #isFalseConsent({ status }: ResponseReply): boolean {
    return this.#early !== undefined && status >= 200 && status < 300;
  }

  #respond(open: OpenExchange, reply: ResponseReply): void {
    const body = this.#hasContent(reply) ? reply.body : undefined;
    this.#hasAnswered = true;
    this.#isHeadOnly = body === undefined;
    this.#setPending(false);
    this.#stream.sendHeaders(encodeHeaders(this.#withLength(reply), reply.status), body === undefined);
    if (body === undefined) {
      if (reply.body !== undefined && !(reply.body instanceof Uint8Array)) reply.body.cancel();
      return this.#onAnswered(open, reply.status, undefined);
    }
    this.#writer = new ContentWriter(this.#stream, body, (error) => this.#onAnswered(open, reply.status, error));
    this.#awaitProgress();
    this.#writer.start(body);
  }

  /** RFC 9110 §6.4.1: answers to HEAD, and 1xx, 204 and 304, have no content. */
  #hasContent({ status, body }: ResponseReply): boolean {
    if (this.#request.head.method === "HEAD" || status === 204 || status === 304) return false;
    return body !== undefined && body.length !== 0;
  }

  #withLength(reply: ResponseReply): HeaderList {
    const { headers, body, status } = reply;
    const isOfUpstream = this.#request.head.method === "HEAD" && !(body instanceof Uint8Array);
    if (headers.has("content-length") || isOfUpstream || status === 204 || status === 304) return headers;
    const length = body === undefined ? 0 : body.length;
    if (length === undefined) return headers;
    const framed = headers.clone();
    framed.add("content-length", String(length));
    return framed;
  }

  #onAnswered(open: OpenExchange, status: number, error: GatewayError | undefined): void {
    this.#finish(open, this.#outcome(status, error));
    if (error !== undefined) {
      this.#leave();
      return this.#stream.reset(errorCode.internal);
    }
    this.#body?.cancel();
    if (this.#stream.isClosed) return this.#leave();
    // What the client has not taken yet must not lie here for ever.
    this.#awaitProgress();
    this.#stopUpload();
  }

  /** RFC 9113 §8.1: an answer that does not need the rest of the request says so with NO_ERROR behind its end. */
  #stopUpload(): void {
    if (this.#stream.hasPeerEnded || this.#stream.queued > 0 || this.#stream.isClosed) return;
    this.#leave();
    this.#stream.reset(errorCode.none);
  }

  #clientGone(): void {
    const open = this.#open;
    const error = new GatewayError("client_gone", "the client closed the stream");
    const status = this.#writer === undefined ? 499 : 0;
    this.#leave();
    this.#writer?.stop();
    this.#body?.fail(error);
    if (open !== undefined) {
      open.abort(error);
      this.#finish(open, this.#outcome(status, error));
    }
    this.#stream.destroy();
  }

  /** What still comes is read over, because it would fill the window of the connection. */
  onBodyCancelled(): void {
    this.#stream.resume();
  }

  onBodyBad(error: GatewayError): void {
    const open = this.#open;
    this.#leave();
    this.#writer?.stop();
    open?.abort(error);
    if (open !== undefined) this.#finish(open, this.#outcome(error.status, error));
    this.#stream.reset(errorCode.protocol);
  }

  #outcome(status: number, error: GatewayError | undefined): Outcome {
    return { status, bytesIn: this.#body?.bytes ?? 0, bytesOut: this.#writer?.bytes ?? 0, error };
  }

  #finish(open: OpenExchange, outcome: Outcome): void {
    if (this.#open === open) this.#open = undefined;
    open.finish(outcome);
  }

  #awaitProgress(): void {
    if (this.#stallMs > 0) this.#deadline.set(this.#stallMs);
  }

  /** A client that neither sends its body nor takes its answer is let go; a silent upstream is not its fault. */
  onTooLate(): void {
    const writer = this.#writer;
    const body = this.#body;
    this.#awaitProgress();
    if (writer !== undefined) {
      if (writer.isDone && this.#stream.queued === 0) return this.#stopUpload();
      if (writer.isBlocked && !writer.hasProgressed) return this.#clientGone();
      writer.hasProgressed = false;
      return;
    }
    if (body === undefined || body.isOver || this.#hasAnswered) return;
    if (body.bytes === this.#bodyBytesBefore && !this.#stream.isPaused)
      return this.#open?.abort(new GatewayError("request_timeout", "the body did not come in time"));
    this.#bodyBytesBefore = body.bytes;
  }

  /** From now on the stream is a session's, or over. */
  #leave(): void {
    this.#setPending(false);
    this.#deadline[Symbol.dispose]();
  }

  #setPending(isPending: boolean): void {
    if (this.#isPending === isPending) return;
    this.#isPending = isPending;
    this.#parts.onPending(isPending);
  }
}

function refuseConsent(open: OpenExchange, { status, body }: ResponseReply): ResponseReply {
  if (body !== undefined && !(body instanceof Uint8Array)) body.cancel();
  const says = `the handshake was answered with ${status} and no WebSocket, which HTTP/2 cannot pass on`;
  return open.refuse(new GatewayError("upstream_bad_handshake", says));
}
