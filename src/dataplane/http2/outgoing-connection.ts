import { GatewayError } from "../../core/errors.ts";
import type { SharedConnection, StreamedRequest } from "../../core/shared-connection.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import { Deadline, type DeadlineOwner } from "../../kit/deadline.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { FloodGuard } from "./flood-guard.ts";
import {
  ConnectionFault,
  errorCode,
  frameType,
  goAwayFrame,
  makeFrame,
  maxWindow,
  preface,
  StreamFault,
  setting,
  settingsFrame,
} from "./frames.ts";
import { encodeRequest } from "./header-encoder.ts";
import type { Fields } from "./header-intake.ts";
import type { BlockKind } from "./message-fields.ts";
import { Multiplex, type MultiplexOwner, protocolError } from "./multiplex.ts";
import { OutgoingExchange } from "./outgoing-exchange.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { type Stream, streamWindow } from "./stream.ts";

/** What the head of an answer may be at most (bytes as HTTP/2 counts them, and fields). */
const limits = { head: 131_072, headers: 1000 };
/** Frames that ask for nothing, of an upstream: some measure their line with a PING for every answer (a second, and at once). */
const idleTalk = { rate: 1000, burst: 5000 };
/** Streams belong to clients that know nothing of each other: only its own window holds one of them back, so that no slow one stops the rest. */
const maxHeld = Number.POSITIVE_INFINITY;
/** Streams at once where the upstream says nothing of it. */
const usualStreams = 100;
/** What may wait to be sent before the connection takes no more requests (bytes). */
const maxQueued = 524_288;
/** After such a silence, while streams are open, a PING is sent, which has to be answered (ms). */
const quietMs = 20_000;
const pongMs = 10_000;
/** How long what still comes is read over at the end (ms). */
const lingerMs = 2000;

/** What a connection to an upstream is opened with. */
export type OutgoingOptions = {
  readonly wire: Wire;
  readonly wheel: TimerWheel;
  /** How long the upstream may take to say SETTINGS (ms); 0 waits for ever. */
  readonly timeoutMs: number;
  /** Hears of what must not happen, and cost one stream only. */
  readonly onFault?: ((error: unknown) => void) | undefined;
};

/** One HTTP/2 connection to an upstream (RFC 9113), which carries requests and WebSockets side by side. */
export class OutgoingConnection implements Receiver, DeadlineOwner, MultiplexOwner, SharedConnection {
  served = 0;
  takesSessions = false;
  wantsHttp11 = false;
  onUnusable: (() => void) | undefined;
  readonly #wire: Wire;
  readonly #wheel: TimerWheel;
  readonly #onFault: OutgoingOptions["onFault"];
  readonly #deadline: Deadline;
  readonly #multiplex: Multiplex;
  readonly #opened = Promise.withResolvers<OutgoingConnection>();
  /** Those that have no answer yet, by their streams. */
  readonly #asked = new Map<number, OutgoingExchange>();
  #state: "settings" | "open" | "over" = "settings";
  #isGoing = false;
  #nextStream = 1;
  #maxStreams = usualStreams;
  #mustResizeTable = false;
  #heardAt: number;
  #idleSince: number | undefined;
  #isPinging = false;

  private constructor({ wire, wheel, onFault }: OutgoingOptions) {
    this.#onFault = onFault;
    this.#wire = wire;
    this.#wheel = wheel;
    this.#heardAt = this.#idleSince = wheel.now;
    this.#deadline = new Deadline(wheel, this);
    const guard = new FloodGuard({ streams: 0, resetsPerSecond: 0, idleTalk }, () => wheel.clock());
    this.#multiplex = new Multiplex({ wire, owner: this, guard, limits, maxHeld });
    wire.receiver = this;
  }

  /** Begins as clients do. Rejects with `upstream_invalid`, `upstream_lost` or `upstream_timeout`, before anything was asked. */
  static open(options: OutgoingOptions): Promise<OutgoingConnection> {
    const connection = new OutgoingConnection(options);
    connection.#begin(options.timeoutMs);
    return connection.#opened.promise;
  }

  get hasRoom(): boolean {
    if (this.#state !== "open" || this.#isGoing || this.#wire.queued > maxQueued) return false;
    return this.#multiplex.streams.size < this.#maxStreams;
  }

  get idleSince(): number | undefined {
    return this.#idleSince;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  request(request: StreamedRequest): OutgoingExchange {
    const { streams, output } = this.#multiplex;
    this.#watch();
    const stream = streams.open(this.#nextStream);
    this.#nextStream += 2;
    this.served++;
    const onSettled = (id: number) => this.#asked.delete(id);
    const exchange = new OutgoingExchange(request, { stream, wheel: this.#wheel, onSettled });
    this.#asked.set(stream.id, exchange);
    const isFirst = this.#mustResizeTable;
    this.#mustResizeTable = false;
    output.begin();
    exchange.start(encodeRequest(request, { emptiesTable: isFirst }));
    output.finish();
    // RFC 9113 §5.1.1: numbers do not come again.
    if (this.#nextStream > maxWindow) this.retire();
    return exchange;
  }

  retire(): void {
    if (this.#isGoing || this.#state === "over") return;
    this.#stopTaking();
    if (this.#multiplex.streams.size === 0) this.#leave(errorCode.none, "");
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#state === "over") return;
    const { output, reader } = this.#multiplex;
    this.#heardAt = this.#wheel.now;
    this.#isPinging = false;
    output.begin();
    try {
      reader.add(bytes);
      this.#multiplex.readFrames();
    } catch (error) {
      if (!(error instanceof ConnectionFault)) throw error;
      this.#break(error);
    } finally {
      output.finish();
    }
  }

  onWritable(): void {
    this.#multiplex.streams.pump();
  }

  onEnd(): void {
    this.#lose(undefined);
  }

  onClose(error: Error | undefined): void {
    this.#lose(error);
    this.#deadline[Symbol.dispose]();
  }

  isUnknown(id: number): boolean {
    return id === 0 || id % 2 === 0 || id >= this.#nextStream;
  }

  kindOf(id: number): BlockKind {
    if (this.isUnknown(id)) throw protocolError("HEADERS on a stream that was never opened");
    return this.#asked.has(id) ? "answer" : "trailers";
  }

  onBlockBegun(): void {}
  onBlock(): void {}

  onHead({ id, fields, isLast }: Fields): void {
    const exchange = this.#asked.get(id);
    exchange?.onHead(fields, { isLast });
    if (isLast) this.#multiplex.streams.get(id)?.onPeerEnd();
  }

  onReset(stream: Stream, code: number): void {
    if (code === errorCode.none && stream.hasPeerEnded) return stream.onUnwanted();
    if (code === errorCode.http11Required) {
      this.wantsHttp11 = true;
      this.retire();
    }
    const canRetry = code === errorCode.refusedStream || code === errorCode.http11Required;
    const what = canRetry ? "refused a stream" : `reset its stream (code ${code})`;
    stream.onGone(new GatewayError("upstream_lost", `the upstream ${what}`, { canRetry }));
  }

  /** A fault of the upstream was told to its exchange. */
  onStreamFault(thrown: unknown): void {
    if (!(thrown instanceof StreamFault)) this.#onFault?.(thrown);
  }

  onSettings({ maxStreams, tableSize, takesSessions }: PeerSettings): void {
    if (maxStreams !== undefined) this.#maxStreams = maxStreams;
    if (takesSessions !== undefined) this.takesSessions = takesSessions;
    // RFC 7541 §4.2: nothing was kept in the table, and the upstream still has to be told so.
    if (tableSize !== undefined) this.#mustResizeTable = true;
    if (this.#state !== "settings") return;
    this.#state = "open";
    this.#deadline.clear();
    this.#opened.resolve(this);
  }

  onPong(): void {}

  /** RFC 9113 §6.8: what stands behind the last stream was not looked at, and may be asked elsewhere. */
  onGoAway(payload: Buffer): void {
    const last = payload.readUInt32BE(0) & maxWindow;
    const code = payload.readUInt32BE(4);
    if (code === errorCode.http11Required) this.wantsHttp11 = true;
    this.#stopTaking();
    const says = `the upstream ended the connection (code ${code})`;
    this.#multiplex.streams.closeAbove(last, new GatewayError("upstream_lost", says, { canRetry: true }));
    if (this.#multiplex.streams.size === 0) this.onEmpty();
  }

  onEmpty(): void {
    if (this.#state !== "open") return;
    if (this.#isGoing) return this.#leave(errorCode.none, "");
    this.#idleSince = this.#wheel.now;
    this.#deadline.clear();
  }

  onTooLate(): void {
    if (this.#state === "over") return this.#wire.destroy();
    if (this.#state === "settings") {
      const error = new GatewayError("upstream_connect_timeout", "the upstream says no SETTINGS", { canRetry: true });
      return this.#dispose(error, () => this.#wire.destroy());
    }
    if (this.#isPinging) {
      const error = new GatewayError("upstream_lost", "the upstream does not answer PING any more");
      return this.#dispose(error, () => this.#wire.destroy());
    }
    const leftMs = this.#heardAt + quietMs - this.#wheel.now;
    if (leftMs > 0) this.#deadline.set(leftMs);
    else this.#ping();
  }

  #begin(timeoutMs: number): void {
    const { output, streams } = this.#multiplex;
    if (timeoutMs > 0) this.#deadline.set(timeoutMs);
    output.together(() => {
      output.send(preface);
      output.send(
        settingsFrame([
          [setting.enablePush, 0],
          [setting.initialWindowSize, streamWindow],
          [setting.maxHeaderListSize, limits.head],
          [setting.noPriorities, 1],
        ]),
      );
      streams.start();
    });
  }

  /** From the first stream on silence is noticed; a connection that was silent before is asked at once whether it is there. */
  #watch(): void {
    if (this.#idleSince === undefined) return;
    this.#idleSince = undefined;
    if (this.#wheel.now - this.#heardAt > quietMs) this.#ping();
    else this.#deadline.set(quietMs);
  }

  #ping(): void {
    this.#isPinging = true;
    this.#multiplex.output.send(makeFrame({ type: frameType.ping, flags: 0, stream: 0 }, pingMark));
    this.#deadline.set(pongMs);
  }

  #stopTaking(): void {
    this.#isGoing = true;
    this.onUnusable?.();
    this.onUnusable = undefined;
  }

  #break({ code, message }: ConnectionFault): void {
    const isStranger = this.#state === "settings";
    const says = isStranger ? `the upstream does not begin as HTTP/2 does: ${message}` : message;
    this.#leave(code, message, new GatewayError("upstream_invalid", says, { canRetry: isStranger }));
  }

  /** GOAWAY, and then the end: what still comes is read over, because a reset could overtake it. */
  #leave(code: number, says: string, error = new GatewayError("upstream_lost", "the connection was given up")): void {
    this.#multiplex.output.send(goAwayFrame(0, code, says));
    this.#dispose(error, () => {
      this.#multiplex.output.flush();
      this.#wire.end();
      this.#deadline.set(lingerMs);
    });
  }

  #lose(cause: Error | undefined): void {
    const canRetry = this.#state === "settings";
    const says = "the upstream closed the connection before its answer was complete";
    this.#dispose(new GatewayError("upstream_lost", says, { cause, canRetry }), () => this.#wire.destroy());
  }

  #dispose(error: GatewayError, endWire: () => void): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#deadline.clear();
    this.#stopTaking();
    this.#multiplex.streams.close(error);
    endWire();
    this.#opened.reject(error);
  }
}

const pingMark = Buffer.from("causeway");
