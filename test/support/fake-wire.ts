import { Parking } from "../../src/core/parking.ts";
import { type Movable, type Receiver, silentReceiver, type Wire } from "../../src/core/wire.ts";
import { latin1 } from "../../src/kit/latin1.ts";

/** A byte stream that is no socket: a test decides what comes in, and what is taken of that which goes out. */
export class FakeWire implements Wire, Movable {
  readonly peer = { address: "192.0.2.7", port: 50_007 };
  receiver: Receiver = silentReceiver;
  queued = 0;
  isClosed = false;
  isPaused = false;
  /** Our FIN was sent, or the wire was destroyed. */
  isEnded = false;
  isDestroyed = false;
  /** True while the peer takes nothing. */
  isBlocked = false;
  /** What `write` throws, once. */
  failure: Error | undefined;
  readonly #sent: Uint8Array[] = [];
  #isEnding = false;
  #hasPeerEnded = false;

  /** False for one that must stay in its process. */
  isMovable = true;
  #parking: Parking | undefined;

  get movable(): Movable | undefined {
    return this.isMovable ? this : undefined;
  }

  freeze(): ReturnType<Movable["freeze"]> {
    this.receiver = this.#parking = new Parking();
    const state = { peer: this.peer, queued: "", isEnding: this.#isEnding, hasPeerEnded: this.#hasPeerEnded };
    return { state, descriptor: 3 };
  }

  thaw({ receiver, isPaused }: Parameters<Movable["thaw"]>[0]): void {
    this.receiver = receiver;
    this.isPaused = isPaused;
    this.#parking?.release(receiver);
    this.#parking = undefined;
  }

  letGo(): void {}

  /** All bytes that were written. */
  get sent(): Buffer {
    return Buffer.concat(this.#sent);
  }

  /** How often something was written. */
  get writes(): number {
    return this.#sent.length;
  }

  /** What was written after the first `writes` times. */
  sentSince(writes: number): Buffer {
    return Buffer.concat(this.#sent.slice(writes));
  }

  write(bytes: Uint8Array): number {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    if (this.isClosed || this.#isEnding) return this.queued;
    this.#sent.push(new Uint8Array(bytes));
    if (this.isBlocked) this.queued += bytes.length;
    return this.queued;
  }

  writeFramed(before: string, bytes?: Uint8Array, after?: string): number {
    return this.write(latin1(before, bytes, after));
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.#isEnding = true;
    this.#settle();
  }

  destroy(): void {
    this.isClosed = this.isEnded = this.isDestroyed = true;
    this.queued = 0;
  }

  /** The peer sends bytes. */
  receive(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.receiver.onBytes(new Uint8Array(piece));
  }

  /** The peer takes some of what is queued. */
  take(bytes: number = this.queued): void {
    this.queued -= bytes;
    this.receiver.onWritable();
    this.#settle();
  }

  /** The peer ends its direction. */
  peerEnds(): void {
    this.#hasPeerEnded = true;
    this.receiver.onEnd();
    this.#settle();
  }

  /** The peer resets. */
  peerResets(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.receiver.onClose(new Error("ECONNRESET"));
  }

  #settle(): void {
    if (this.isClosed || !this.#isEnding || this.queued > 0) return;
    this.isEnded = true;
    if (!this.#hasPeerEnded) return;
    this.isClosed = true;
    this.receiver.onClose(undefined);
  }
}
