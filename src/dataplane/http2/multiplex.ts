import type { Wire } from "../../core/wire.ts";
import type { FloodGuard } from "./flood-guard.ts";
import { FrameOutput } from "./frame-output.ts";
import { FrameReader } from "./frame-reader.ts";
import { ConnectionFault, errorCode, flag, frameType, makeFrame, numberFrame, StreamFault } from "./frames.ts";
import { type Fields, HeaderIntake, withoutPadding } from "./header-intake.ts";
import type { BlockKind, FieldLimits } from "./message-fields.ts";
import { type PeerSettings, readSettings } from "./peer-settings.ts";
import type { Stream } from "./stream.ts";
import { StreamSet } from "./stream-set.ts";

/** The side of a connection that its frames are for: it knows who opens streams, and what comes on them. */
export interface MultiplexOwner {
  /** True once nothing is read any more. */
  readonly isOver: boolean;
  /** True for a stream that was never opened. */
  isUnknown(stream: number): boolean;
  /** What a header block on a stream is; throws a ConnectionFault where none may be. */
  kindOf(stream: number): BlockKind;
  /** A header block has begun whose end has not come. */
  onBlockBegun(): void;
  /** It has come whole. */
  onBlock(): void;
  /** The head of a request or an answer has come. */
  onHead(fields: Fields): void;
  onReset(stream: Stream, code: number): void;
  /** A peer breaks the rules of a stream, or, if it is no StreamFault, we do; that stream is reset already. */
  onStreamFault(thrown: unknown): void;
  onSettings(settings: PeerSettings): void;
  onPong(payload: Buffer): void;
  onGoAway(payload: Buffer): void;
  /** The last stream has ended. */
  onEmpty(): void;
}

/** A connection whose streams are shared out, and what it belongs to. */
export type MultiplexOptions = {
  readonly wire: Wire;
  readonly owner: MultiplexOwner;
  readonly guard: FloodGuard;
  readonly limits: FieldLimits;
  /** How much may wait here for slow readers before less may come on all streams (bytes). */
  readonly maxHeld: number;
};

/** What both sides of a connection do alike: frames are read and checked, and given to streams; windows, SETTINGS and PING are heeded. */
export class Multiplex {
  readonly reader = new FrameReader();
  readonly output: FrameOutput;
  readonly streams: StreamSet;
  readonly #owner: MultiplexOwner;
  readonly #guard: FloodGuard;
  readonly #intake: HeaderIntake;
  #hasBegun = false;

  constructor({ wire, owner, guard, limits, maxHeld }: MultiplexOptions) {
    this.#owner = owner;
    this.#guard = guard;
    this.#intake = new HeaderIntake({ limits, guard, kindOf: (stream) => owner.kindOf(stream) });
    this.output = new FrameOutput(wire);
    this.streams = new StreamSet({ wire, output: this.output, maxHeld, onEmpty: () => owner.onEmpty() });
  }

  /** True if a header block has begun and not ended. */
  get isInsideBlock(): boolean {
    return this.#intake.isInside;
  }

  /** Reads the frames that have come whole. Throws a ConnectionFault. */
  readFrames(): void {
    while (!this.#owner.isOver && this.reader.next()) this.#onFrame();
    this.output.check();
    this.streams.acknowledge();
  }

  #onFrame(): void {
    const { type, stream } = this.reader;
    if (!this.#hasBegun && type !== frameType.settings) throw protocolError("SETTINGS has to come first");
    this.#hasBegun = true;
    this.#intake.check(this.reader);
    try {
      this.#dispatch();
    } catch (error) {
      if (error instanceof ConnectionFault) throw error;
      this.#breakStream(stream, error);
    }
  }

  #breakStream(id: number, thrown: unknown): void {
    const code = thrown instanceof StreamFault ? thrown.code : errorCode.internal;
    const stream = this.streams.get(id);
    this.output.send(numberFrame(frameType.reset, id, code));
    stream?.onGone(thrown instanceof Error ? thrown : new Error(String(thrown)));
    this.#owner.onStreamFault(thrown);
    if (this.streams.size === 0) this.#owner.onEmpty();
  }

  #dispatch(): void {
    const { type, stream, payload } = this.reader;
    switch (type) {
      case frameType.data:
        return this.#onData();
      case frameType.headers:
      case frameType.continuation: {
        const fields = this.#intake.take(this.reader);
        if (fields !== undefined) this.#onFields(fields);
        else if (type === frameType.headers) this.#owner.onBlockBegun();
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
        if (payload.length < 8) throw new ConnectionFault(errorCode.frameSize, "GOAWAY has eight bytes at least");
        return this.#owner.onGoAway(payload);
      case frameType.windowUpdate:
        return this.#onWindowUpdate();
      case frameType.pushPromise:
        throw protocolError("nobody may push here");
      case frameType.priority:
        if (payload.length !== 5) throw new StreamFault(errorCode.frameSize, "PRIORITY has five bytes");
        return this.#guard.onIdleTalk();
      default:
        return this.#guard.onIdleTalk();
    }
  }

  #onData(): void {
    const { stream: id, payload, flags } = this.reader;
    if (this.#owner.isUnknown(id)) throw protocolError("DATA on a stream that was never opened");
    const isLast = (flags & flag.endStream) !== 0;
    const content = withoutPadding(this.reader);
    if (content.length === 0 && !isLast) this.#guard.onIdleTalk();
    this.streams.received(payload.length);
    // One that is gone was reset by us, or is over for both; what was under way is no news.
    this.streams.get(id)?.onData(content, payload.length, isLast);
  }

  #onFields(fields: Fields): void {
    this.#owner.onBlock();
    if (fields.kind !== "trailers") return this.#owner.onHead(fields);
    const stream = this.streams.get(fields.id);
    // Those of a stream that was reset were under way.
    if (stream === undefined) return this.#guard.onIdleTalk();
    const { fields: trailers, isLast } = fields;
    trailers.check();
    if (!isLast || stream.hasPeerEnded) throw new StreamFault(errorCode.protocol, "trailers have to be the end");
    if (trailers.headers.length > 0 && !trailers.isTooLarge) stream.trailers = trailers.headers;
    stream.onPeerEnd();
  }

  #onReset(): void {
    const { stream: id, payload } = this.reader;
    if (payload.length !== 4) throw new ConnectionFault(errorCode.frameSize, "RST_STREAM has four bytes");
    if (this.#owner.isUnknown(id)) throw protocolError("RST_STREAM for a stream that was never opened");
    const stream = this.streams.get(id);
    if (stream === undefined) this.#guard.onIdleTalk();
    else this.#owner.onReset(stream, payload.readUInt32BE(0));
  }

  #onSettings(): void {
    const { stream, flags, payload } = this.reader;
    if (stream !== 0) throw protocolError("SETTINGS on a stream");
    this.#guard.onIdleTalk();
    if ((flags & flag.ack) !== 0) {
      if (payload.length > 0) throw new ConnectionFault(errorCode.frameSize, "an acknowledgement holds settings");
      return;
    }
    const settings = readSettings(payload);
    if (settings.firstWindow !== undefined) this.streams.setFirstWindow(settings.firstWindow);
    this.output.send(makeFrame({ type: frameType.settings, flags: flag.ack, stream: 0 }, new Uint8Array(0)));
    this.#owner.onSettings(settings);
    this.streams.pump();
  }

  #onPing(): void {
    const { stream, flags, payload } = this.reader;
    if (stream !== 0) throw protocolError("PING on a stream");
    if (payload.length !== 8) throw new ConnectionFault(errorCode.frameSize, "PING has eight bytes");
    if ((flags & flag.ack) !== 0) return this.#owner.onPong(payload);
    this.#guard.onIdleTalk();
    this.output.send(makeFrame({ type: frameType.ping, flags: flag.ack, stream: 0 }, payload));
  }

  #onWindowUpdate(): void {
    const { stream: id, payload } = this.reader;
    if (payload.length !== 4) throw new ConnectionFault(errorCode.frameSize, "WINDOW_UPDATE has four bytes");
    const count = payload.readUInt32BE(0) & 0x7fffffff;
    if (id !== 0 && this.#owner.isUnknown(id)) throw protocolError("WINDOW_UPDATE for a stream that was never opened");
    if (count === 0) {
      if (id === 0) throw protocolError("a window grows by nothing");
      throw new StreamFault(errorCode.protocol, "a window grows by nothing");
    }
    if (id === 0) this.output.widen(count);
    else this.streams.get(id)?.widen(count);
    this.streams.pump();
  }
}

/** A broken rule that ends the connection. */
export function protocolError(says: string): ConnectionFault {
  return new ConnectionFault(errorCode.protocol, says);
}
