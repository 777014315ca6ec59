import { asGatewayError, type GatewayError } from "../../core/errors.ts";
import type { ExchangeHost, OpenExchange, Reply, ReplySink, ResponseReply, TunnelReply } from "../../core/exchange.ts";
import { Parking } from "../../core/parking.ts";
import { acceptFor } from "../../core/websocket-handshake.ts";
import type { Wire } from "../../core/wire.ts";
import { BodyDecoder, type BodyOwner } from "./body-decoder.ts";
import { clientGone, earlyDataTooLong, requestTooSlow } from "./client-errors.ts";
import { type MessageOwner, MessageWriter } from "./message-writer.ts";
import type { ParsedRequest } from "./request-head.ts";
import { interimHead, responseHead, switchingHead } from "./write-response.ts";

/** What a client may send before its handshake is answered (bytes). */
const maxEarlyBytes = 65_536;

/** The connection that an exchange came on. */
export interface ExchangeConnection {
  readonly wire: Wire;
  readonly host: ExchangeHost;
  /** The client has ended its direction. */
  readonly hasPeerEnded: boolean;
  /** It shall end with this answer. */
  readonly isRetiring: boolean;
  /** False if the client can ask nothing more, and has asked nothing more already. */
  readonly mayAskMore: boolean;
  /** The wire is closed, or somebody else's. */
  readonly isOver: boolean;
  readonly isReadingPaused: boolean;
  pauseReading(): void;
  resumeReading(): void;
  /** Takes what belongs to no exchange yet. */
  keepAhead(bytes: Uint8Array): void;
  /** The handshake is waiting for its answer no longer. */
  endPending(): void;
  /** `onTooLate` of the exchange is called after `ms` milliseconds; never if that is 0. */
  awaitProgress(ms: number): void;
  /** The answer is written: another exchange may follow, or the connection ends. */
  onAnswered(mayGoOn: boolean): void;
  /** The answer broke off in the middle. */
  onBrokenOff(): void;
  /** The wire is closed, or a session's, from now on. */
  leave(): void;
}

/** One request or handshake of a client over HTTP/1.1, from its head to the end of its answer, or until a session takes over. */
export class ServedExchange implements ReplySink, BodyOwner, MessageOwner {
  readonly #connection: ExchangeConnection;
  readonly #request: ParsedRequest;
  readonly #body: BodyDecoder | undefined;
  /** Holds what comes before a handshake is answered. */
  #early: Parking | undefined;
  #open: OpenExchange | undefined;
  #writer: MessageWriter | undefined;
  /** Of the answer that is being written: its status, and whether another may follow it. */
  #status = 0;
  #keepsAlive = false;
  /** The end of a body was not reached: what follows it cannot be told from it, and is dropped. */
  #isOutOfStep = false;
  #bodyBytesBefore = 0;

  constructor(connection: ExchangeConnection, request: ParsedRequest, kind: "request" | "handshake") {
    const { framing } = request;
    this.#connection = connection;
    this.#request = request;
    if (kind === "handshake") this.#early = new Parking(() => this.#checkEarly());
    else if (framing.kind !== "none" && framing.kind !== "until-close")
      this.#body = new BodyDecoder(framing, this, "bad_request");
  }

  /** `ahead` has come behind the head. */
  start(ahead: Uint8Array): void {
    const { host, wire } = this.#connection;
    const { peer, security } = wire;
    const kind = this.#early === undefined ? "request" : "handshake";
    if (this.#early === undefined && ahead.length > 0) this.onBytes(ahead);
    this.#open = host.begin({ kind, head: this.#request.head, body: this.#body, peer, security, sink: this });
    if (this.#early !== undefined) this.#early.onBytes(ahead);
    if (this.#body === undefined) return;
    this.#bodyBytesBefore = this.#body.bytes;
    this.#awaitProgress();
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#early !== undefined) this.#early.onBytes(bytes);
    else if (this.#isOutOfStep) return;
    else if (this.#body !== undefined && !this.#body.isOver) this.#body.feed(bytes);
    else this.#connection.keepAhead(bytes);
  }

  onWritable(): void {
    this.#writer?.onWritable();
  }

  /** The client ends its direction: after its last request it may still read the answers, but not inside a body or a handshake. */
  onEnd(): void {
    if (this.#early !== undefined) return this.clientGone();
    const body = this.#body;
    const wasOpen = body !== undefined && !body.isOver;
    body?.endOfInput(clientGone());
    if (wasOpen && body.isOver) this.clientGone();
    else this.#awaitProgress();
  }

  /** Nobody is there any more who could read an answer. */
  clientGone(): void {
    const open = this.#open;
    const writer = this.#writer;
    const status = writer === undefined ? 499 : 0;
    this.#leave();
    const error = clientGone();
    writer?.stop();
    this.#body?.fail(error);
    open?.abort(error);
    this.#finish(status, error);
    this.#connection.wire.destroy();
  }

  onInterim(open: OpenExchange, status: number, headers: ResponseReply["headers"]): void {
    if (this.#open !== open || this.#writer !== undefined || this.#request.version !== 11) return;
    this.#connection.wire.writeFramed(interimHead(status, headers));
  }

  onReply(open: OpenExchange, reply: Reply): void {
    if (this.#open !== open) return;
    try {
      if (reply.kind === "tunnel") this.#openSession(open, reply);
      else this.#respond(open, reply);
    } catch (error) {
      this.#fail(open, error);
    }
  }

  pauseReading(): void {
    this.#connection.pauseReading();
  }

  resumeReading(): void {
    this.#connection.resumeReading();
  }

  onBodyRead(rest: Uint8Array): void {
    if (rest.length > 0) this.#connection.keepAhead(rest);
  }

  onBodyBad(error: GatewayError): void {
    this.#isOutOfStep = true;
    if (this.#writer === undefined) this.#open?.abort(error);
  }

  onBodyCancelled(): void {
    this.#isOutOfStep = true;
    this.resumeReading();
  }

  onWritten(error: GatewayError | undefined): void {
    this.#finish(this.#status, error);
    if (this.#connection.isOver) return;
    // A message that stops in the middle, or before its first byte, can only be told by its head and the end of the connection.
    if (error === undefined) return this.#connection.onAnswered(this.#keepsAlive && this.#isAtEnd);
    // Without a head a client would take it for a connection that ended before its request, and repeat that.
    this.#writer?.flushHead();
    this.#connection.onBrokenOff();
  }

  /** A client that neither sends its body nor takes its answer is let go; a silent upstream is not its fault. */
  onTooLate(): void {
    if (this.#early !== undefined) return;
    const { hasPeerEnded, isReadingPaused } = this.#connection;
    const writer = this.#writer;
    const body = this.#body;
    this.#awaitProgress();
    if (writer !== undefined) {
      // With much sent ahead of its turn the client's end could not be seen.
      const isDeaf = isReadingPaused && (body === undefined || body.isOver);
      if ((writer.isBlocked || hasPeerEnded || isDeaf) && !writer.hasProgressed) return this.clientGone();
      writer.hasProgressed = false;
      return;
    }
    if (hasPeerEnded) return this.clientGone();
    if (body === undefined || body.isOver || isReadingPaused) return;
    if (body.bytes === this.#bodyBytesBefore) return this.#open?.abort(requestTooSlow("body"));
    this.#bodyBytesBefore = body.bytes;
  }

  /** True if what comes next on the connection can be told from what was sent for this exchange. */
  get #isAtEnd(): boolean {
    return !this.#isOutOfStep && (this.#body === undefined || this.#body.isOver);
  }

  #checkEarly(): void {
    if (this.#early === undefined || this.#early.bytes <= maxEarlyBytes) return;
    this.pauseReading();
    this.#open?.abort(earlyDataTooLong(maxEarlyBytes));
  }

  /** An invariant of ours is broken: this connection pays for it, and nobody else. */
  #fail(open: OpenExchange, thrown: unknown): void {
    this.#connection.host.onFault(thrown);
    const error = asGatewayError(thrown);
    this.#leave();
    open.abort(error);
    this.#finish(error.status, error);
    this.#connection.wire.destroy();
  }

  #openSession(open: OpenExchange, reply: TunnelReply): void {
    const { wire } = this.#connection;
    const early = this.#early ?? new Parking();
    this.#leave();
    const key = this.#request.head.headers.get("sec-websocket-key") ?? "";
    wire.writeFramed(switchingHead(reply, acceptFor(key)));
    this.resumeReading();
    this.#open = undefined;
    open.openSession(reply, wire, early);
  }

  #respond(open: OpenExchange, reply: ResponseReply): void {
    const { wire, isRetiring, mayAskMore } = this.#connection;
    const { head: asked, version, wantsKeepAlive } = this.#request;
    this.#body?.passOver();
    // After a refused handshake the client may have sent frames already: nothing more is read as HTTP (S13).
    const isHandshake = this.#early !== undefined;
    const keepAlive = wantsKeepAlive && !isHandshake && !open.isLast && !isRetiring && mayAskMore && !this.#isOutOfStep;
    const isBodyOver = this.#body === undefined || this.#body.isOver;
    const canKeep = keepAlive && (isBodyOver || reply.status < 300);
    const { head, framing } = responseHead(reply, { method: asked.method, version, keepAlive: canKeep });
    if (!keepAlive && isBodyOver) this.#readNoFurther();
    this.#status = reply.status;
    this.#keepsAlive = canKeep && framing !== "until-close";
    this.#connection.endPending();
    this.#writer = new MessageWriter({ wire, head, framing, body: reply.body, owner: this });
    this.#awaitProgress();
    this.#writer.start();
  }

  /** Nothing more will be answered: what comes is dropped, because behind it stands the client's end. */
  #readNoFurther(): void {
    this.#isOutOfStep = true;
    this.#early = undefined;
    this.resumeReading();
  }

  #awaitProgress(): void {
    this.#connection.awaitProgress(this.#open?.stallMs ?? 0);
  }

  #leave(): void {
    this.#early = undefined;
    this.#connection.leave();
  }

  #finish(status: number, error: GatewayError | undefined): void {
    const open = this.#open;
    this.#open = undefined;
    open?.finish({ status, bytesIn: this.#body?.bytes ?? 0, bytesOut: this.#writer?.bytes ?? 0, error });
  }
}
