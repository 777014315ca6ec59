import type { HeaderList } from "../../core/headers.ts";
import { type PeerAddress, type Receiver, silentReceiver, type Wire, type WireSecurity } from "../../core/wire.ts";
import { latin1 } from "../../kit/latin1.ts";
import { remainder, WriteQueue } from "../../kit/write-queue.ts";
import { errorCode, frameType, headerFrames, maxPayload, maxWindow, numberFrame, StreamFault } from "./frames.ts";

/** What a peer may send on one stream before it is read (bytes). */
export const streamWindow = 131_072;

/** The connection, as its streams see it. */
export interface StreamOwner {
  readonly peer: PeerAddress;
  readonly security: WireSecurity | undefined;
  /** How much content may be sent now, on all streams together (bytes). */
  readonly room: number;
  send(frame: Uint8Array): void;
  /** Sends a DATA frame, for which there is room. */
  sendData(stream: number, bytes: Uint8Array, isLast: boolean): void;
  /** Has something to send, and calls of `pump` are awaited. */
  await(stream: Stream): void;
  /** So many bytes more, or less, wait here until they are read. */
  hold(count: number): void;
  /** Both directions have ended, or it was reset. */
  over(stream: Stream): void;
}

/** One stream of a connection as a Wire: flow control both ways, END_STREAM for the end and RST_STREAM for what is cut off. */
export class Stream implements Wire {
  receiver: Receiver = silentReceiver;
  readonly id: number;
  /** Firefox never ends its direction after a Close, and would keep a stream of its connection until the gateway gives up. */
  readonly partingMs = 500;
  /** What came behind the content; known when the receiver hears of the end. */
  trailers: HeaderList | undefined;
  readonly #owner: StreamOwner;
  #sendWindow: number;
  #receiveWindow = streamWindow;
  #consumed = 0;
  #outgoing: WriteQueue | undefined;
  #incoming: WriteQueue | undefined;
  #isPaused = false;
  #isFlowing = false;
  #isEnding = false;
  #hasEnded = false;
  #hasPeerEnded = false;
  #isEndTold = false;
  #isClosed = false;
  #lastBlock: Uint8Array | undefined;

  constructor(id: number, owner: StreamOwner, sendWindow: number) {
    this.id = id;
    this.#owner = owner;
    this.#sendWindow = sendWindow;
  }

  get peer(): PeerAddress {
    return this.#owner.peer;
  }

  get security(): WireSecurity | undefined {
    return this.#owner.security;
  }

  get queued(): number {
    return this.#outgoing === undefined ? 0 : this.#outgoing.bytes;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** True once the peer has ended its direction. */
  get hasPeerEnded(): boolean {
    return this.#hasPeerEnded;
  }

  writeFramed(before: string, bytes?: Uint8Array, after?: string): number {
    return this.write(latin1(before, bytes, after));
  }

  write(bytes: Uint8Array): number {
    if (this.#isClosed || this.#isEnding) return this.queued;
    if (this.queued > 0) return this.#queue(bytes);
    let sent = 0;
    while (sent < bytes.length) {
      const count = this.#sendSome(sent === 0 ? bytes : bytes.subarray(sent));
      if (count === 0) return this.#queue(sent === 0 ? bytes : remainder(bytes, sent));
      sent += count;
    }
    return 0;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#flow();
  }

  end(): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    if (this.queued === 0) this.#sendEnd();
  }

  /** Ends our direction with this block of trailers. */
  endWith(trailers: Uint8Array): void {
    this.#lastBlock = trailers;
    this.end();
  }

  destroy(): void {
    this.reset(this.#hasEnded ? errorCode.none : errorCode.cancel);
  }

  /** Ends both directions at once with RST_STREAM, and tells nobody. */
  reset(code: number): void {
    if (this.#isClosed) return;
    this.receiver = silentReceiver;
    if (!this.#hasEnded || !this.#hasPeerEnded) {
      this.#owner.send(numberFrame(frameType.reset, this.id, code));
      this.#hasEnded = this.#hasPeerEnded = true;
      this.#owner.over(this);
    }
    this.#finish(undefined);
  }

  /** Sends a header block; the last one ends our direction. */
  sendHeaders(block: Uint8Array, isLast: boolean): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#owner.send(headerFrames(this.id, block, isLast));
    if (!isLast) return;
    this.#isEnding = true;
    this.#ended();
  }

  /** Content has come; `length` counts with its padding. Throws a StreamFault. */
  onData(bytes: Buffer, length: number, isLast: boolean): void {
    if (this.#hasPeerEnded) throw new StreamFault(errorCode.streamClosed, "there is content behind its end");
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) throw new StreamFault(errorCode.flowControl, "the window of a stream is exceeded");
    this.#consumed += length - bytes.length;
    if (bytes.length > 0) this.#take(bytes);
    if (isLast) this.onPeerEnd();
    else this.#credit();
  }

  /** The peer has ended its direction. */
  onPeerEnd(): void {
    if (this.#hasPeerEnded) return;
    this.#hasPeerEnded = true;
    if (this.#hasEnded) this.#owner.over(this);
    if (this.#incoming === undefined || this.#incoming.bytes === 0) this.#tellEnd();
  }

  /** The stream ends without anything being sent: the peer has reset it, or its connection is gone. */
  onGone(error: Error | undefined): void {
    if (this.#isClosed) return;
    const wasOver = this.#hasEnded && this.#hasPeerEnded;
    this.#hasEnded = this.#hasPeerEnded = true;
    if (!wasOver) this.#owner.over(this);
    this.#finish(error);
  }

  /** False if so many bytes more would be more than a window can have. */
  mayWiden(count: number): boolean {
    return this.#sendWindow + count <= maxWindow;
  }

  /** The peer takes nothing more, and what it has sent is whole (RFC 9113 §8.1). */
  onUnwanted(): void {
    this.#outgoing = undefined;
    this.#isEnding = true;
    if (!this.#hasEnded) this.#ended();
  }

  /** The peer takes so many bytes more. Throws a StreamFault. */
  widen(count: number): void {
    this.#sendWindow += count;
    if (!this.mayWiden(0)) throw new StreamFault(errorCode.flowControl, "a window is too large");
    if (this.queued > 0) this.#owner.await(this);
  }

  /** Sends one frame of what waits. True if it could send more. */
  pump(): boolean {
    const before = this.queued;
    if (before === 0) return false;
    this.#outgoing?.flush({ write: (bytes) => this.#sendSome(bytes) });
    const after = this.queued;
    if (after === 0) this.#outgoing = undefined;
    if (after === 0 && this.#isEnding) this.#sendEnd();
    if (after < before && !this.#isClosed) this.receiver.onWritable();
    return this.queued > 0 && this.#sendWindow > 0;
  }

  #queue(bytes: Uint8Array): number {
    this.#outgoing ??= new WriteQueue();
    const queued = this.#outgoing.push(bytes);
    this.#owner.await(this);
    return queued;
  }

  /** Sends a frame of at most these bytes; 0 if there is no room. */
  #sendSome(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, maxPayload, this.#sendWindow, this.#owner.room);
    if (count <= 0) return 0;
    this.#sendWindow -= count;
    this.#owner.sendData(this.id, count === bytes.length ? bytes : bytes.subarray(0, count), false);
    return count;
  }

  #sendEnd(): void {
    if (this.#hasEnded) return;
    if (this.#lastBlock === undefined) this.#owner.sendData(this.id, nothing, true);
    else this.#owner.send(headerFrames(this.id, this.#lastBlock, true));
    this.#ended();
  }

  #ended(): void {
    this.#hasEnded = true;
    if (!this.#hasPeerEnded) return;
    this.#owner.over(this);
    if (this.#isEndTold) this.#finish(undefined);
  }

  #take(bytes: Buffer): void {
    if (!this.#isPaused && (this.#incoming === undefined || this.#incoming.bytes === 0)) return this.#deliver(bytes);
    this.#incoming ??= new WriteQueue();
    // A view would keep everything that was read together with it.
    this.#incoming.push(bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes);
    this.#owner.hold(bytes.length);
  }

  #deliver(bytes: Uint8Array): void {
    this.#consumed += bytes.length;
    this.receiver.onBytes(bytes);
  }

  /** Gives on what has waited, until the receiver pauses again. */
  #flow(): void {
    const incoming = this.#incoming;
    if (this.#isFlowing || incoming === undefined || incoming.bytes === 0) return;
    this.#isFlowing = true;
    incoming.flush({ write: (bytes) => this.#release(bytes) });
    this.#isFlowing = false;
    if (this.#isClosed) return;
    if (this.#hasPeerEnded && incoming.bytes === 0) this.#tellEnd();
    else this.#credit();
  }

  #release(bytes: Uint8Array): number {
    if (this.#isPaused || this.#isClosed) return 0;
    this.#owner.hold(-bytes.length);
    this.#deliver(bytes);
    return bytes.length;
  }

  #credit(): void {
    if (this.#isClosed || this.#hasPeerEnded || this.#consumed < streamWindow / 2) return;
    this.#receiveWindow += this.#consumed;
    this.#owner.send(numberFrame(frameType.windowUpdate, this.id, this.#consumed));
    this.#consumed = 0;
  }

  #tellEnd(): void {
    if (this.#isEndTold || this.#isClosed) return;
    this.#isEndTold = true;
    this.receiver.onEnd();
    if (this.#hasEnded) this.#finish(undefined);
  }

  #finish(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const held = this.#incoming?.bytes ?? 0;
    this.#incoming = this.#outgoing = undefined;
    if (held > 0) this.#owner.hold(-held);
    this.receiver.onClose(error);
  }
}

const nothing = Buffer.alloc(0);
