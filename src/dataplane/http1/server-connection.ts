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
import type { ConnectionState } from "../../core/handover.ts";
import { Parking } from "../../core/parking.ts";
import type { ListenerSettings } from "../../core/snapshot.ts";
import { acceptFor, checkHandshake, upgradeKind } from "../../core/websocket-handshake.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import { Deadline, type DeadlineOwner } from "../../kit/deadline.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { BodyDecoder, type BodyOwner } from "./body-decoder.ts";
import { clientGone, earlyDataTooLong, requestTooSlow } from "./client-errors.ts";
import { Lingering } from "./lingering.ts";
import { type MessageOwner, MessageWriter } from "./message-writer.ts";
import type { ParsedRequest } from "./request-head.ts";
import { RequestReader } from "./request-reader.ts";
import { latin1 } from "./syntax.ts";
import { interimHead, responseHead, switchingHead } from "./write-response.ts";

export type ServerOptions = {
  readonly wire: Wire;
  readonly host: ExchangeHost;
  readonly wheel: TimerWheel;
  readonly settings: Pick<ListenerSettings, "timeouts" | "limits">;
  readonly owner: ServerOwner;
};

/** The one that has accepted a connection. */
export interface ServerOwner {
  /** The connection begins or stops to count as pending: without a complete head, or with an unanswered handshake. */
  onPending(connection: ServerConnection, isPending: boolean): void;
  /** The connection is closed, or a session's. */
  onOver(connection: ServerConnection): void;
}

/** What a client may send before its handshake is answered (bytes). */
const maxEarlyBytes = 65_536;
/** What a client may send ahead while its request is being answered (bytes). */
const maxPipelined = 65_536;
/** How long a client that has ended its direction may take nothing: most of those have closed, which looks the same (ms). */
const halfClosedMs = 10_000;

const nobody: MessageOwner = { onWritten() {} };

type State =
  /** Nothing of a request has come. */
  | "idle"
  /** A part of a head has come. */
  | "head"
  /** A request is being answered. */
  | "exchange"
  /** A WebSocket handshake is being answered. */
  | "handshake"
  /** The wire is closed or lingers, or has become a session's. */
  | "over";

/** One HTTP/1.1 connection of a client: reads requests one after the other, and answers them in that order. */
export class ServerConnection implements Receiver, ReplySink, BodyOwner, MessageOwner, DeadlineOwner {
  readonly #options: ServerOptions;
  readonly #deadline: Deadline;
  readonly #reader: RequestReader;
  #state: State = "idle";
  #isPending = false;
  #isReadingPaused = false;
  #request: ParsedRequest | undefined;
  #body: BodyDecoder | undefined;
  #open: OpenExchange | undefined;
  #writer: MessageWriter | undefined;
  /** Of the answer that is being written: its status, and whether another may follow it. */
  #status = 0;
  #keepsAlive = false;
  #early: Parking | undefined;
  #hasPeerEnded = false;
  #isRetiring = false;
  /** The end of a body was not reached: what follows it cannot be told from it, and is dropped. */
  #isOutOfStep = false;
  #bodyBytesBefore = -1;
  /** Who had the wire when it was frozen. */
  #receiver: Receiver = this;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#deadline = new Deadline(options.wheel, this);
    this.#reader = new RequestReader(options.settings.limits);
  }

  start(): void {
    this.#setPending(true);
    this.#deadline.set(this.#options.settings.timeouts.headMs);
  }

  /** Answers what is no exchange, without reading any further, and ends the connection. */
  refuse(error: GatewayError, method = "GET"): void {
    const { wire, host } = this.#options;
    const reply = host.refuse(error, wire.peer);
    const { head, framing } = responseHead(reply, { method, version: 11, keepAlive: false });
    new MessageWriter({ wire, head, framing, body: reply.body, owner: nobody }).start();
    this.#linger();
  }

  /** Ends the connection when it is between two requests; otherwise after the answer that is under way, or the first one to come. */
  retire(): void {
    this.#isRetiring = true;
    if (this.#state === "idle" && !this.#isPending) this.#linger();
  }

  /** Stops, if it is between two requests and its wire can go to another process; undefined if not. */
  freeze(): { readonly state: Omit<ConnectionState, "listener">; readonly descriptor: number } | undefined {
    const { movable, isClosed } = this.#options.wire;
    const isBetween = this.#state === "idle" || this.#state === "head";
    if (!isBetween || movable === undefined || isClosed || this.#hasPeerEnded || this.#isRetiring) return undefined;
    this.#deadline.clear();
    this.#receiver = this.#options.wire.receiver;
    const { state: wire, descriptor } = movable.freeze();
    const input = this.#reader.content.toString("base64");
    return { state: { wire, input, isNew: this.#state === "idle" && this.#isPending }, descriptor };
  }

  /** Goes on, here or where it was `taken` over; `receiver` is this connection or somebody in front of it. */
  thaw(taken?: { readonly state: Omit<ConnectionState, "listener">; readonly receiver: Receiver }): void {
    const { wire, settings } = this.#options;
    const state = taken?.state;
    const isNew = state === undefined ? this.#isPending : state.isNew;
    if (isNew) this.#setPending(true);
    this.#deadline.set(isNew ? settings.timeouts.headMs : settings.timeouts.keepAliveMs);
    if (state !== undefined && state.input !== "") this.onBytes(Buffer.from(state.input, "base64"));
    wire.movable?.thaw({ receiver: taken?.receiver ?? this.#receiver, isPaused: false });
    if (this.#isRetiring) this.retire();
  }

  /** The client speaks another protocol: nothing has come that belongs here, and nothing will. */
  yield(): void {
    this.#leave();
  }

  get wire(): Wire {
    return this.#options.wire;
  }

  /** It goes on in another process. */
  letGo(): void {
    this.#leave();
    this.#options.wire.movable?.letGo();
  }

  onBytes(bytes: Uint8Array): void {
    switch (this.#state) {
      case "idle":
      case "head":
        this.#reader.add(bytes);
        return this.#readHead();
      case "exchange":
        if (this.#isOutOfStep) return;
        if (this.#body !== undefined && !this.#body.isOver) return this.#body.feed(bytes);
        this.#reader.add(bytes);
        if (this.#reader.size > maxPipelined) this.pauseReading();
        return;
      case "handshake":
        return this.#early?.onBytes(bytes);
      case "over":
    }
  }

  onWritable(): void {
    this.#writer?.onWritable();
  }

  onEnd(): void {
    this.#hasPeerEnded = true;
    switch (this.#state) {
      case "idle":
      case "head":
        return this.#close();
      case "handshake":
        return this.#clientGone();
      case "exchange":
        return this.#onHalfClosed();
      case "over":
    }
  }

  /** A client may end its direction after its last request and still read the answers, but not inside a body. */
  #onHalfClosed(): void {
    const body = this.#body;
    const wasOpen = body !== undefined && !body.isOver;
    body?.endOfInput(clientGone());
    if (wasOpen && body.isOver) this.#clientGone();
    else this.#deadline.set(halfClosedMs);
  }

  onClose(): void {
    if (this.#state === "over") return;
    if (this.#state === "exchange" || this.#state === "handshake") this.#clientGone();
    else this.#close();
  }

  pauseReading(): void {
    if (this.#isReadingPaused) return;
    this.#isReadingPaused = true;
    this.#options.wire.pause();
  }

  resumeReading(): void {
    if (!this.#isReadingPaused) return;
    this.#isReadingPaused = false;
    this.#options.wire.resume();
  }

  onBodyRead(rest: Uint8Array): void {
    if (rest.length > 0) this.#reader.add(rest);
  }

  onBodyBad(error: GatewayError): void {
    this.#isOutOfStep = true;
    if (this.#writer === undefined) this.#open?.abort(error);
  }

  onBodyCancelled(): void {
    this.#isOutOfStep = true;
    this.resumeReading();
  }

  #readHead(): void {
    let request: ParsedRequest | undefined;
    try {
      request = this.#reader.read();
      if (request === undefined) this.#awaitMore();
      else this.#begin(request);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.refuse(error, request?.head.method ?? this.#reader.method);
    }
  }

  #awaitMore(): void {
    if (this.#hasPeerEnded) return this.#close();
    if (this.#state !== "idle" || this.#reader.size === 0) return;
    this.#state = "head";
    this.#setPending(true);
    this.#deadline.set(this.#options.settings.timeouts.headMs);
  }

  #begin(request: ParsedRequest): void {
    const { head, framing, version } = request;
    const isHandshake = upgradeKind(head.headers) === "websocket";
    if (isHandshake) {
      checkHandshake({ method: head.method, version, headers: head.headers, hasBody: framing.kind !== "none" });
    }
    this.#request = request;
    this.#writer = undefined;
    this.#body = undefined;
    if (isHandshake) return this.#beginHandshake();
    this.#state = "exchange";
    this.#setPending(false);
    if (this.#hasPeerEnded) this.#deadline.set(halfClosedMs);
    else this.#deadline.clear();
    if (framing.kind !== "none" && framing.kind !== "until-close") {
      this.#body = new BodyDecoder(framing, this, "bad_request");
      if (this.#reader.size > 0) this.#body.feed(this.#reader.takeRest());
    }
    this.#host("request");
    if (this.#body === undefined) return;
    this.#bodyBytesBefore = this.#body.bytes;
    this.#awaitProgress();
  }

  #beginHandshake(): void {
    this.#state = "handshake";
    this.#setPending(true);
    this.#deadline.clear();
    const early = new Parking(() => this.#checkEarly(early));
    this.#early = early;
    this.#host("handshake");
    early.onBytes(this.#reader.takeRest());
  }

  #checkEarly(early: Parking): void {
    if (this.#state !== "handshake" || early.bytes <= maxEarlyBytes) return;
    this.pauseReading();
    this.#open?.abort(earlyDataTooLong(maxEarlyBytes));
  }

  #host(kind: "request" | "handshake"): void {
    const { host, wire } = this.#options;
    const request = this.#request;
    if (request === undefined) return;
    const { peer, security } = wire;
    this.#open = host.begin({ kind, head: request.head, body: this.#body, peer, security, sink: this });
  }

  onInterim(open: OpenExchange, status: number, headers: ResponseReply["headers"]): void {
    if (this.#open === open && this.#writer === undefined && this.#request?.version === 11) {
      this.#options.wire.write(latin1(interimHead(status, headers)));
    }
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

  /** An invariant of ours is broken: this connection pays for it, and nobody else. */
  #fail(open: OpenExchange, thrown: unknown): void {
    this.#options.host.onFault(thrown);
    const error = asGatewayError(thrown);
    this.#leave();
    open.abort(error);
    if (this.#open === open) this.#finish(open, this.#outcome(error.status, error));
    this.#options.wire.destroy();
  }

  #openSession(open: OpenExchange, reply: TunnelReply): void {
    const { wire } = this.#options;
    const early = this.#early ?? new Parking();
    this.#leave();
    const key = this.#request?.head.headers.get("sec-websocket-key") ?? "";
    wire.write(latin1(switchingHead(reply, acceptFor(key))));
    this.resumeReading();
    this.#open = undefined;
    open.openSession(reply, wire, early);
  }

  #respond(open: OpenExchange, reply: ResponseReply): void {
    const request = this.#request;
    if (request === undefined) return;
    const isHandshake = this.#state === "handshake";
    this.#body?.passOver();
    // After a refused handshake the client may have sent frames already: nothing more is read as HTTP (S13).
    const keepAlive =
      request.wantsKeepAlive &&
      !isHandshake &&
      !open.isLast &&
      !this.#isRetiring &&
      this.#mayAskMore &&
      !this.#isOutOfStep;
    const canKeep = keepAlive && (this.#body === undefined || this.#body.isOver || reply.status < 300);
    const context = { method: request.head.method, version: request.version, keepAlive: canKeep };
    const { head, framing } = responseHead(reply, context);
    if (!keepAlive && (this.#body === undefined || this.#body.isOver)) this.#readNoFurther();
    this.#status = reply.status;
    this.#keepsAlive = canKeep && framing !== "until-close";
    this.#state = "exchange";
    this.#setPending(false);
    this.#writer = new MessageWriter({
      wire: this.#options.wire,
      head,
      framing,
      body: reply.body,
      owner: this,
    });
    this.#awaitProgress();
    this.#writer.start();
  }

  /** Nothing more will be answered: what comes is dropped, because behind it stands the client's end. */
  #readNoFurther(): void {
    this.#isOutOfStep = true;
    this.#early = undefined;
    this.resumeReading();
  }

  /** False if the client has ended its direction and everything it asked for is answered. */
  get #mayAskMore(): boolean {
    return !this.#hasPeerEnded || this.#reader.size > 0;
  }

  onWritten(error: GatewayError | undefined): void {
    if (this.#open !== undefined) this.#finish(this.#open, this.#outcome(this.#status, error));
    if (this.#state !== "exchange") return;
    // A message that stops in the middle, or before its first byte, can only be told by its head and the end of the connection.
    if (error !== undefined) return this.#breakOff();
    if (!this.#keepsAlive || !this.#mayAskMore || this.#isOutOfStep || (this.#body !== undefined && !this.#body.isOver))
      return this.#linger();
    this.#next();
  }

  /** Without a head a client would take it for a connection that ended before its request, and repeat that. */
  #breakOff(): void {
    this.#writer?.flushHead();
    this.#close();
  }

  #next(): void {
    this.#request = undefined;
    this.#body = undefined;
    this.#state = "idle";
    this.#deadline.set(this.#options.settings.timeouts.keepAliveMs);
    this.resumeReading();
    // Not in the same turn: a client that pipelines thousands of requests shall not build a stack.
    if (this.#reader.size > 0) queueMicrotask(() => this.#state === "idle" && this.#readHead());
  }

  #outcome(status: number, error: GatewayError | undefined): Outcome {
    return { status, bytesIn: this.#body?.bytes ?? 0, bytesOut: this.#writer?.bytes ?? 0, error };
  }

  #finish(open: OpenExchange, outcome: Outcome): void {
    if (this.#open === open) this.#open = undefined;
    open.finish(outcome);
  }

  /** The last answer is written. */
  #linger(): void {
    this.#leave();
    this.resumeReading();
    Lingering.start(this.#options.wire, this.#options.wheel);
  }

  #clientGone(): void {
    const open = this.#open;
    const writer = this.#writer;
    const status = writer === undefined ? 499 : 0;
    this.#leave();
    const error = clientGone();
    writer?.stop();
    this.#body?.fail(error);
    if (open !== undefined) {
      open.abort(error);
      this.#finish(open, this.#outcome(status, error));
    }
    this.#options.wire.destroy();
  }

  #close(): void {
    if (this.#state === "over") return;
    if (this.#options.wire.queued > 0) return this.#linger();
    this.#leave();
    this.#options.wire.destroy();
  }

  /** From now on the wire is somebody else's, or closed. */
  #leave(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#setPending(false);
    this.#options.owner.onOver(this);
    this.#deadline[Symbol.dispose]();
    this.#early = undefined;
  }

  onTooLate(): void {
    switch (this.#state) {
      case "idle":
        return this.#isPending ? this.#refuseLate() : this.#linger();
      case "head":
        return this.#refuseLate();
      case "exchange":
        return this.#checkProgress();
      case "handshake":
      case "over":
    }
  }

  #refuseLate(): void {
    // A connection on which nothing ever came is closed without a word.
    if (this.#reader.size === 0) return this.#close();
    this.refuse(requestTooSlow("head"));
  }

  #awaitProgress(): void {
    const ms = this.#hasPeerEnded ? halfClosedMs : (this.#open?.stallMs ?? 0);
    if (ms > 0) this.#deadline.set(ms);
    else this.#deadline.clear();
  }

  /** A client that neither sends its body nor takes its answer is let go; a silent upstream is not its fault. */
  #checkProgress(): void {
    const writer = this.#writer;
    const body = this.#body;
    this.#awaitProgress();
    if (writer !== undefined) {
      // With much sent ahead of its turn the client's end could not be seen.
      const isDeaf = this.#isReadingPaused && (body === undefined || body.isOver);
      if ((writer.isBlocked || this.#hasPeerEnded || isDeaf) && !writer.hasProgressed) return this.#clientGone();
      writer.hasProgressed = false;
      return;
    }
    if (this.#hasPeerEnded) return this.#clientGone();
    if (body === undefined || body.isOver || this.#isReadingPaused) return;
    if (body.bytes === this.#bodyBytesBefore) return this.#open?.abort(requestTooSlow("body"));
    this.#bodyBytesBefore = body.bytes;
  }

  #setPending(isPending: boolean): void {
    if (this.#isPending === isPending) return;
    this.#isPending = isPending;
    this.#options.owner.onPending(this, isPending);
  }
}
