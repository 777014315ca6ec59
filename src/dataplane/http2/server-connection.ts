import { GatewayError } from "../../core/errors.ts";
import type { ExchangeHost } from "../../core/exchange.ts";
import type { ListenerSettings } from "../../core/snapshot.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import { Deadline, type DeadlineOwner } from "../../kit/deadline.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { FloodGuard } from "./flood-guard.ts";
import type { FrameOutput } from "./frame-output.ts";
import {
  ConnectionFault,
  errorCode,
  frameType,
  goAwayFrame,
  headerFrames,
  makeFrame,
  maxPayload,
  maxWindow,
  numberFrame,
  preface,
  StreamFault,
  setting,
  settingsFrame,
} from "./frames.ts";
import { encodeHeaders } from "./header-encoder.ts";
import type { Fields } from "./header-intake.ts";
import type { BlockKind, MessageFields } from "./message-fields.ts";
import { Multiplex, type MultiplexOwner, protocolError } from "./multiplex.ts";
import { readRequest, type StreamRequest } from "./request-head.ts";
import { type Stream, streamWindow } from "./stream.ts";
import { type ExchangeParts, StreamExchange } from "./stream-exchange.ts";
import type { StreamSet } from "./stream-set.ts";

/** A connection over HTTP/2, and what it belongs to. */
export type Http2Options = {
  readonly wire: Wire;
  readonly host: ExchangeHost;
  readonly wheel: TimerWheel;
  readonly settings: Pick<ListenerSettings, "timeouts" | "limits"> & Required<Pick<ListenerSettings, "http2">>;
  /** Hears when something begins and stops to count as pending: the connection before its first request, or an unanswered handshake. */
  readonly onPending: (isPending: boolean) => void;
  /** The client has exceeded a limit, and a stream or its connection was refused for it. */
  readonly onLimit: (limit: string) => void;
  /** The connection is closed. */
  readonly onOver: (connection: Http2Connection) => void;
};

/** How long the client has to hear that it shall open no more streams, and how long what it still sends is read over at the end (ms). */
const goAwayMs = 1000;
const lingerMs = 2000;

/** What may wait here of one client, whose streams are slow by its own doing (bytes). */
const maxHeld = 4_194_304;

/** One HTTP/2 connection of a client (RFC 9113): its frames, its streams, and the limits on both. */
export class Http2Connection implements Receiver, DeadlineOwner, MultiplexOwner {
  readonly #options: Http2Options;
  readonly #deadline: Deadline;
  readonly #guard: FloodGuard;
  readonly #multiplex: Multiplex;
  readonly #output: FrameOutput;
  readonly #streams: StreamSet;
  readonly #parts: ExchangeParts;
  #state: "preface" | "settings" | "open" | "over" = "preface";
  #isPending = false;
  /** The newest stream that the client has opened. */
  #lastStream = 0;
  /** How far saying goodbye has come: `asked` still takes streams that were under way. */
  #goodbye: "none" | "asked" | "said" = "none";

  constructor(options: Http2Options) {
    const { wire, host, wheel, settings } = options;
    this.#options = options;
    this.#deadline = new Deadline(wheel, this);
    this.#guard = new FloodGuard(settings.http2, () => wheel.clock());
    this.#multiplex = new Multiplex({ wire, owner: this, guard: this.#guard, limits: settings.limits, maxHeld });
    this.#output = this.#multiplex.output;
    this.#streams = this.#multiplex.streams;
    this.#parts = {
      host,
      wheel,
      together: (send) => this.#output.together(send),
      onPending: options.onPending,
      onLast: () => this.retire(),
    };
  }

  start(): void {
    const { limits, http2 } = this.#options.settings;
    this.#setPending(true);
    this.#deadline.set(this.#headMs);
    const settings = settingsFrame([
      [setting.maxConcurrentStreams, http2.streams],
      [setting.initialWindowSize, streamWindow],
      [setting.maxHeaderListSize, limits.head],
      ...(http2.webSockets ? [[setting.enableConnectProtocol, 1] as const] : []),
      [setting.noPriorities, 1],
    ]);
    this.#output.together(() => {
      this.#output.send(settings);
      this.#streams.start();
    });
  }

  /** Takes no requests: GOAWAY, and the end. */
  refuse(error: GatewayError): void {
    this.#options.host.refuse(error, this.#options.wire.peer);
    this.#output.send(settingsFrame([]));
    this.#leave(errorCode.enhanceYourCalm, error.message);
  }

  /** Tells the client to open no more streams here; those that are open go on to their end (RFC 9113 §6.8). */
  retire(): void {
    if (this.#goodbye !== "none" || this.#state === "over") return;
    this.#goodbye = "asked";
    this.#output.together(() => {
      this.#output.send(goAwayFrame(maxWindow, errorCode.none, ""));
      this.#output.send(makeFrame({ type: frameType.ping, flags: 0, stream: 0 }, goodbyeMark));
    });
    this.#deadline.set(goAwayMs);
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#state === "over") return;
    this.#output.begin();
    try {
      this.#multiplex.reader.add(bytes);
      if (this.#state === "preface" && !this.#readPreface()) return;
      this.#multiplex.readFrames();
    } catch (error) {
      if (!(error instanceof ConnectionFault)) throw error;
      this.#break(error);
    } finally {
      this.#output.finish();
    }
  }

  onWritable(): void {
    this.#streams.pump();
  }

  onEnd(): void {
    this.#close();
  }

  onClose(error: Error | undefined): void {
    this.#dispose(error ?? new Error("the client closed the connection"));
    this.#deadline[Symbol.dispose]();
  }

  /** Its frames ask after each one. */
  get isOver(): boolean {
    return this.#state === "over";
  }

  get #headMs(): number {
    return this.#options.settings.timeouts.headMs;
  }

  #readPreface(): boolean {
    const bytes = this.#multiplex.reader.take(preface.length);
    if (bytes === undefined) return false;
    if (!bytes.equals(preface)) throw protocolError("the connection does not begin as HTTP/2 does");
    this.#state = "settings";
    return true;
  }

  /** A fault of the client, or, if it is no StreamFault, of ours. */
  onStreamFault(thrown: unknown): void {
    if (thrown instanceof StreamFault) this.#guard.onReset();
    else this.#options.host.onFault(thrown);
  }

  onBlockBegun(): void {
    if (this.#goodbye === "none") this.#deadline.set(this.#headMs);
  }

  onBlock(): void {
    if (this.#goodbye === "none") this.#deadline.clear();
  }

  isUnknown(id: number): boolean {
    return id === 0 || id % 2 === 0 || id > this.#lastStream;
  }

  kindOf(id: number): BlockKind {
    if (id % 2 === 0) throw protocolError("HEADERS on a stream that clients cannot open");
    return id <= this.#lastStream ? "trailers" : "request";
  }

  onHead({ id, fields, isLast }: Fields): void {
    this.#lastStream = id;
    if (this.#goodbye === "said") return;
    if (this.#streams.size < this.#options.settings.http2.streams) return this.#begin(id, fields, isLast);
    this.#options.onLimit("streams");
    this.#guard.onReset();
    this.#output.send(numberFrame(frameType.reset, id, errorCode.refusedStream));
  }

  #begin(id: number, fields: MessageFields, isWhole: boolean): void {
    const { settings, host } = this.#options;
    this.#setPending(false);
    let request: StreamRequest;
    try {
      const { requestLine } = settings.limits;
      request = readRequest(fields, { requestLine, webSockets: settings.http2.webSockets });
    } catch (error) {
      if (error instanceof StreamFault)
        host.refuse(new GatewayError("bad_request", error.message), this.#options.wire.peer);
      if (!(error instanceof GatewayError)) throw error;
      return this.#answerBad(id, error, isWhole);
    }
    const stream = this.#streams.open(id);
    new StreamExchange(stream, request, this.#parts, { isWhole }).start();
    if (isWhole) stream.onPeerEnd();
  }

  /** A request that is no exchange, because its head is bad: only its stream ends. */
  #answerBad(id: number, error: GatewayError, isWhole: boolean): void {
    const { headers, status, body } = this.#options.host.refuse(error, this.#options.wire.peer);
    const content = body instanceof Uint8Array ? body : new Uint8Array(0);
    headers.set("content-length", String(content.length));
    this.#output.send(headerFrames(id, encodeHeaders(headers, status), false));
    if (content.length <= Math.min(this.#output.room, this.#streams.firstWindow, maxPayload))
      this.#output.sendData(id, content, true);
    else this.#output.send(numberFrame(frameType.reset, id, errorCode.protocol));
    if (!isWhole) this.#output.send(numberFrame(frameType.reset, id, errorCode.none));
    if (this.#streams.size === 0) this.onEmpty();
  }

  onReset(stream: Stream, code: number): void {
    this.#guard.onReset();
    stream.onGone(new Error(`the client reset its stream (code ${code})`));
  }

  onSettings(): void {
    this.#state = "open";
  }

  onPong(payload: Buffer): void {
    if (this.#goodbye === "asked" && payload.equals(goodbyeMark)) this.#sayGoodbye();
  }

  onGoAway(): void {
    this.retire();
  }

  onEmpty(): void {
    if (this.#goodbye === "said") this.#leave(errorCode.none, "");
    else if (this.#goodbye === "none") this.#deadline.set(this.#options.settings.timeouts.keepAliveMs);
  }

  #sayGoodbye(): void {
    this.#goodbye = "said";
    this.#output.send(goAwayFrame(this.#lastStream, errorCode.none, ""));
    this.#deadline.clear();
    if (this.#streams.size === 0) this.onEmpty();
  }

  onTooLate(): void {
    if (this.#state === "over") return this.#options.wire.destroy();
    if (this.#goodbye === "asked") return this.#sayGoodbye();
    if (this.#state === "preface" || this.#multiplex.isInsideBlock) return this.#close();
    this.retire();
  }

  /** Broken rules end the connection with all of its streams. */
  #break(fault: ConnectionFault): void {
    const isFlood = fault.code === errorCode.enhanceYourCalm;
    const error = new GatewayError(isFlood ? "too_many_requests" : "bad_request", fault.message);
    if (fault.limit !== undefined) this.#options.onLimit(fault.limit);
    this.#options.host.refuse(error, this.#options.wire.peer);
    this.#leave(fault.code, fault.message);
  }

  /** GOAWAY, and then the end: what still comes is read over, because a reset could overtake it. */
  #leave(code: number, says: string): void {
    this.#output.send(goAwayFrame(this.#lastStream, code, says));
    this.#dispose(new Error(says === "" ? "the connection ended" : says));
    this.#deadline.set(lingerMs);
    this.#output.flush();
    this.#options.wire.end();
  }

  #close(): void {
    if (this.#state === "over") return;
    this.#dispose(new Error("the client closed the connection"));
    this.#options.wire.destroy();
    this.#deadline[Symbol.dispose]();
  }

  #dispose(error: Error): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#deadline.clear();
    this.#setPending(false);
    this.#streams.close(error);
    this.#options.onOver(this);
  }

  #setPending(isPending: boolean): void {
    if (this.#isPending === isPending) return;
    this.#isPending = isPending;
    this.#options.onPending(isPending);
  }
}

const goodbyeMark = Buffer.from("causeway");
