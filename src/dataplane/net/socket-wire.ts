import type { Socket } from "bun";
import { type PeerAddress, type Receiver, silentReceiver, type Wire } from "../../core/wire.ts";
import { WriteQueue } from "./write-queue.ts";

/** What a socket of ours carries in `data`: the wire, once the socket is open. */
export type SocketState = { wire: SocketWire | undefined };

/** A TCP socket of Bun as a Wire. Bun takes what the kernel takes; the rest is kept here until it drains. */
export class SocketWire implements Wire {
  receiver: Receiver;
  readonly peer: PeerAddress;
  readonly #socket: Socket<SocketState>;
  #queue: WriteQueue | undefined;
  #isEnding = false;
  #isClosed = false;

  constructor(socket: Socket<SocketState>, peer: PeerAddress, receiver: Receiver) {
    this.#socket = socket;
    this.peer = peer;
    this.receiver = receiver;
  }

  get queued(): number {
    return this.#queue === undefined ? 0 : this.#queue.bytes;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  write(bytes: Uint8Array): number {
    if (this.#isClosed || this.#isEnding) return this.queued;
    const queue = this.#queue;
    if (queue !== undefined && queue.bytes > 0) return queue.push(bytes);
    const taken = this.#socket.write(bytes);
    if (taken === bytes.length || taken < 0) return 0;
    this.#queue ??= new WriteQueue();
    return this.#queue.push(taken === 0 ? bytes : bytes.subarray(taken));
  }

  pause(): void {
    if (!this.#isClosed) this.#socket.pause();
  }

  resume(): void {
    if (!this.#isClosed) this.#socket.resume();
  }

  end(): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    if (this.queued === 0) this.#socket.shutdown();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.receiver = silentReceiver;
    this.closed(undefined);
    // Not terminate(): what the kernel holds shall still reach the peer.
    this.#socket.end();
  }

  /** Bun's `data` event. */
  received(bytes: Uint8Array): void {
    this.receiver.onBytes(bytes);
  }

  /** Bun's `drain` event, which also comes when nothing was queued. */
  drained(): void {
    const queue = this.#queue;
    if (this.#isClosed || queue === undefined || queue.bytes === 0) return;
    const before = queue.bytes;
    queue.flush(this.#socket);
    if (queue.bytes === before) return;
    if (queue.bytes === 0) {
      this.#queue = undefined;
      if (this.#isEnding) this.#socket.shutdown();
    }
    this.receiver.onWritable();
  }

  /** Bun's `end` event: the peer's FIN. */
  ended(): void {
    if (!this.#isClosed) this.receiver.onEnd();
  }

  /** Bun's `error` event: one of our own handlers threw. Only this wire pays for it. */
  failed(error: Error): void {
    this.closed(error);
    this.#socket.end();
  }

  /** Bun's `close` event. */
  closed(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue = undefined;
    this.receiver.onClose(error);
  }
}
