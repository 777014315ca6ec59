import { GatewayError } from "../../core/errors.ts";
import type { ExchangeHost } from "../../core/exchange.ts";
import type { ListenerSettings } from "../../core/snapshot.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import { Deadline, type DeadlineOwner } from "../../kit/deadline.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { FloodGuard } from "./flood-guard.ts";
import { FrameOutput } from "./frame-output.ts";
import { FrameReader } from "./frame-reader.ts";
import {
  ConnectionFault,
  errorCode,
  flag,
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
import { type Fields, HeaderIntake, withoutPadding } from "./header-intake.ts";
import type { BlockKind, MessageFields } from "./message-fields.ts";
import { readSettings } from "./peer-settings.ts";
import { readRequest, type StreamRequest } from "./request-head.ts";
import { type Stream, streamWindow } from "./stream.ts";
import { type ExchangeParts, StreamExchange } from "./stream-exchange.ts";
import { StreamSet } from "./stream-set.ts";

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

/** One HTTP/2 connection of a client (RFC 9113): its frames, its streams, and the limits on both. */
export class Http2Connection implements Receiver, DeadlineOwner {
  readonly #options: Http2Options;
  readonly #deadline: Deadline;
  readonly #reader = new FrameReader();
  readonly #intake: HeaderIntake;
  readonly #guard: FloodGuard;
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
    this.#intake = new HeaderIntake({
      limits: settings.limits,
      guard: this.#guard,
      kindOf: (stream) => this.#kindOf(stream),
    });
    this.#output = new FrameOutput(wire);
    this.#streams = new StreamSet(wire, this.#output, () => this.#onEmpty());
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
      this.#reader.add(bytes);
      if (this.#state === "preface" && !this.#readPreface()) return;
      while (!this.#isOver && this.#reader.next()) this.#onFrame();
      this.#output.check();
      this.#streams.acknowledge();
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

  /** A function, because a frame may have ended it since the last look. */
  get #isOver(): boolean {
    return this.#state === "over";
  }

  get #headMs(): number {
    return this.#options.settings.timeouts.headMs;
  }

  #readPreface(): boolean {
    const bytes = this.#reader.take(preface.length);
    if (bytes === undefined) return false;
    if (!bytes.equals(preface)) throw protocolError("the connection does not begin as HTTP/2 does");
    this.#state = "settings";
    return true;
  }

  #onFrame(): void {
    const { type, stream } = this.#reader;
    if (this.#state === "settings" && type !== frameType.settings) throw protocolError("SETTINGS has to come first");
    this.#state = "open";
    this.#intake.check(this.#reader);
    try {
      this.#dispatch();
    } catch (error) {
      if (error instanceof ConnectionFault) throw error;
      this.#breakStream(stream, error);
    }
  }

  /** A fault of one stream, or, if it is no fault of the client, of ours. */
  #breakStream(id: number, thrown: unknown): void {
    const isOurs = !(thrown instanceof StreamFault);
    if (isOurs) this.#options.host.onFault(thrown);
    else this.#guard.onReset();
    const code = thrown instanceof StreamFault ? thrown.code : errorCode.internal;
    const stream = this.#streams.get(id);
    const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#output.send(numberFrame(frameType.reset, id, code));
    stream?.onGone(cause);
    if (this.#streams.size === 0) this.#onEmpty();
  }

  #dispatch(): void {
    const { type, stream, payload } = this.#reader;
    switch (type) {
      case frameType.data:
        return this.#onData();
      case frameType.headers:
      case frameType.continuation: {
        const fields = this.#intake.take(this.#reader);
        if (fields !== undefined) this.#onFields(fields);
        else if (type === frameType.headers && this.#goodbye === "none") this.#deadline.set(this.#headMs);
        return;
      }
      case frameType.reset:
        return this.#onReset();
      case frameType.settings:
        return this.#onSettings();
      case frameType.ping:
        return this.#onPing();
      case frameType.goAway:
        if (stream !== 0) throw protocolError("GOAWAY on a stream");
        return this.retire();
      case frameType.windowUpdate:
        return this.#onWindowUpdate();
      case frameType.pushPromise:
        throw protocolError("a client cannot push");
      case frameType.priority:
        if (payload.length !== 5) throw new StreamFault(errorCode.frameSize, "PRIORITY has five bytes");
        return this.#guard.onIdleTalk();
      default:
        return this.#guard.onIdleTalk();
    }
  }

  #onData(): void {
    const { stream: id, payload, flags } = this.#reader;
    if (this.#isUnknown(id)) throw protocolError("DATA on a stream that was never opened");
    const isLast = (flags & flag.endStream) !== 0;
    const content = withoutPadding(this.#reader);
    if (content.length === 0 && !isLast) this.#guard.onIdleTalk();
    this.#streams.received(payload.length);
    // One that is gone was reset by us, or is over for both; what was under way is no news.
    this.#streams.get(id)?.onData(content, payload.length, isLast);
  }

  #isUnknown(id: number): boolean {
    return id === 0 || id % 2 === 0 || id > this.#lastStream;
  }

  #kindOf(id: number): BlockKind {
    if (id % 2 === 0) throw protocolError("HEADERS on a stream that clients cannot open");
    return id <= this.#lastStream ? "trailers" : "request";
  }

  /** What HEADERS and CONTINUATION have come to. */
  #onFields({ id, fields, isLast, kind }: Fields): void {
    if (this.#goodbye === "none") this.#deadline.clear();
    if (kind === "trailers") return this.#onTrailers(this.#streams.get(id), fields, isLast);
    this.#lastStream = id;
    if (this.#goodbye === "said") return;
    if (this.#streams.size < this.#options.settings.http2.streams) return this.#begin(id, fields, isLast);
    this.#options.onLimit("streams");
    this.#guard.onReset();
    this.#output.send(numberFrame(frameType.reset, id, errorCode.refusedStream));
  }

  #onTrailers(stream: Stream | undefined, fields: MessageFields, isLast: boolean): void {
    // Those of a stream that was reset were under way.
    if (stream === undefined) return this.#guard.onIdleTalk();
    fields.check();
    if (!isLast || stream.hasPeerEnded) throw new StreamFault(errorCode.protocol, "trailers have to be the end");
    if (fields.headers.length > 0 && !fields.isTooLarge) stream.trailers = fields.headers;
    stream.onPeerEnd();
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
    if (this.#streams.size === 0) this.#onEmpty();
  }

  #onReset(): void {
    const { stream: id, payload } = this.#reader;
    if (payload.length !== 4) throw new ConnectionFault(errorCode.frameSize, "RST_STREAM has four bytes");
    if (this.#isUnknown(id)) throw protocolError("RST_STREAM for a stream that was never opened");
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#guard.onIdleTalk();
    this.#guard.onReset();
    stream.onGone(new Error(`the client reset its stream (code ${payload.readUInt32BE(0)})`));
  }

  #onSettings(): void {
    const { stream, flags, payload } = this.#reader;
    if (stream !== 0) throw protocolError("SETTINGS on a stream");
    this.#guard.onIdleTalk();
    if ((flags & flag.ack) !== 0) {
      if (payload.length > 0) throw new ConnectionFault(errorCode.frameSize, "an acknowledgement holds settings");
      return;
    }
    const { firstWindow } = readSettings(payload);
    if (firstWindow !== undefined) this.#streams.setFirstWindow(firstWindow);
    this.#output.send(makeFrame({ type: frameType.settings, flags: flag.ack, stream: 0 }, new Uint8Array(0)));
    this.#streams.pump();
  }

  #onPing(): void {
    const { stream, flags, payload } = this.#reader;
    if (stream !== 0) throw protocolError("PING on a stream");
    if (payload.length !== 8) throw new ConnectionFault(errorCode.frameSize, "PING has eight bytes");
    if ((flags & flag.ack) === 0) {
      this.#guard.onIdleTalk();
      return this.#output.send(makeFrame({ type: frameType.ping, flags: flag.ack, stream: 0 }, payload));
    }
    if (this.#goodbye === "asked" && payload.equals(goodbyeMark)) this.#sayGoodbye();
  }

  #onWindowUpdate(): void {
    const { stream: id, payload } = this.#reader;
    if (payload.length !== 4) throw new ConnectionFault(errorCode.frameSize, "WINDOW_UPDATE has four bytes");
    const count = payload.readUInt32BE(0) & 0x7fffffff;
    if (id !== 0 && this.#isUnknown(id)) throw protocolError("WINDOW_UPDATE for a stream that was never opened");
    if (count === 0) {
      if (id === 0) throw protocolError("a window grows by nothing");
      throw new StreamFault(errorCode.protocol, "a window grows by nothing");
    }
    if (id === 0) this.#output.widen(count);
    else this.#streams.get(id)?.widen(count);
    this.#streams.pump();
  }

  #onEmpty(): void {
    if (this.#goodbye === "said") this.#leave(errorCode.none, "");
    else if (this.#goodbye === "none") this.#deadline.set(this.#options.settings.timeouts.keepAliveMs);
  }

  #sayGoodbye(): void {
    this.#goodbye = "said";
    this.#output.send(goAwayFrame(this.#lastStream, errorCode.none, ""));
    this.#deadline.clear();
    if (this.#streams.size === 0) this.#onEmpty();
  }

  onTooLate(): void {
    if (this.#state === "over") return this.#options.wire.destroy();
    if (this.#goodbye === "asked") return this.#sayGoodbye();
    if (this.#state === "preface" || this.#intake.isInside) return this.#close();
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

function protocolError(says: string): ConnectionFault {
  return new ConnectionFault(errorCode.protocol, says);
}
