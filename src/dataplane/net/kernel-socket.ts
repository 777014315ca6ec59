import { ptr } from "bun:ffi";
import type { PeerAddress } from "../../core/wire.ts";
import { happenings } from "./epoll.ts";
import { kernelCalls, socketOptions } from "./kernel-calls.ts";
import type { KernelLoop, Watched } from "./kernel-loop.ts";
import { mostRead, readMemory } from "./read-memory.ts";
import type { OwnedSocket, SocketOwner } from "./socket-owner.ts";
import { callFailed, errors } from "./system-calls.ts";

// Linux: bits/socket.h.
const noSignal = 0x4000;
const writeSide = 1;

const { readable, writable, failed, hungUp, peerEnded, urgent, edges } = happenings;
/** After these a short read does not mean that there is nothing more: behind it stands an end, or a mark of urgent data. */
const notable = peerEnded | hungUp | failed | urgent;

/** After so many reads in a row it is somebody else's turn. */
const mostReads = 4;

/** What is true of a socket: one number instead of eight fields, because sessions have two sockets each, and nearly all of them are still. */
const is = {
  /** It is not known yet what came of connect(2). */
  connecting: 1,
  paused: 2,
  /** There may be something to read. */
  readable: 4,
  /** Reading goes on until there is nothing. */
  readToTheEnd: 8,
  /** The peer's FIN was read. */
  ended: 16,
  shutDown: 32,
  /** The kernel did not take all that it was given last. */
  full: 64,
  /** Its next turn is asked for. */
  waiting: 128,
} as const;

type Fact = (typeof is)[keyof typeof is];

/** How a socket begins. */
export type KernelSocketOptions = {
  readonly loop: KernelLoop;
  readonly descriptor: number;
  readonly owner: SocketOwner;
  /** True until it is known what came of connect(2). */
  readonly isConnecting?: boolean;
  /** Its other end, if it is known already. */
  readonly peer?: PeerAddress | undefined;
};

/** A TCP socket of the kernel, without anything of Bun's between. Its owner hears the same, and in the same order, as from a socket of Bun's. */
export class KernelSocket implements OwnedSocket, Watched {
  data: SocketOwner;
  generation = 0;
  readonly #loop: KernelLoop;
  readonly #kernel = kernelCalls();
  readonly #peer: PeerAddress | undefined;
  /** -1 once it is closed. */
  #descriptor: number;
  #facts = 0;
  /** What a write has failed with (errno), which the owner shall hear in a turn of its own. */
  #broken = 0;

  private constructor({ loop, descriptor, owner, isConnecting = false, peer }: KernelSocketOptions) {
    this.data = owner;
    this.#loop = loop;
    this.#descriptor = descriptor;
    if (isConnecting) this.#note(is.connecting);
    this.#peer = peer;
  }

  /** Throws if the kernel cannot watch it; the descriptor is still the caller's then. */
  static open(options: KernelSocketOptions): KernelSocket {
    const socket = new KernelSocket(options);
    options.loop.add(socket, readable | writable | peerEnded | urgent | edges);
    socket.#kernel.set(options.descriptor, socketOptions.noDelay, 1);
    return socket;
  }

  #is(fact: Fact): boolean {
    return (this.#facts & fact) !== 0;
  }

  #note(fact: Fact): void {
    this.#facts |= fact;
  }

  #forget(fact: Fact): void {
    this.#facts &= ~fact;
  }

  get descriptor(): number {
    return this.#descriptor;
  }

  get fd(): number {
    return this.#descriptor;
  }

  get remoteAddress(): string {
    return this.#peer?.address ?? this.#kernel.addressOf(this.#descriptor, "getpeername")?.address ?? "";
  }

  get remotePort(): number {
    return this.#peer?.port ?? this.#kernel.addressOf(this.#descriptor, "getpeername")?.port ?? 0;
  }

  get localAddress(): string {
    return this.#kernel.addressOf(this.#descriptor, "getsockname")?.address ?? "";
  }

  get localPort(): number {
    return this.#kernel.addressOf(this.#descriptor, "getsockname")?.port ?? 0;
  }

  write(bytes: Uint8Array, offset = 0, length = bytes.length - offset): number {
    const descriptor = this.#descriptor;
    if (descriptor < 0 || this.#broken !== 0) return -1;
    if (length === 0) return 0;
    const { calls } = this.#kernel;
    const from = offset === 0 ? bytes : ptr(bytes, offset);
    const taken = calls.send(descriptor, from, length, noSignal);
    if (taken === length) return taken;
    this.#note(is.full);
    if (taken >= 0) return taken;
    // A call that does not wait is never interrupted: there is no other reason to try again.
    const errno = calls.errno();
    if (errno === errors.EAGAIN) return 0;
    this.#broken = errno;
    this.#askForTurn();
    return -1;
  }

  pause(): void {
    this.#note(is.paused);
  }

  resume(): void {
    this.#forget(is.paused);
    if (this.#is(is.readable)) this.#askForTurn();
  }

  shutdown(): void {
    if (this.#descriptor < 0 || this.#is(is.shutDown)) return;
    this.#note(is.shutDown);
    if (this.#is(is.ended)) this.#gone(undefined);
    else this.#kernel.calls.shutdown(this.#descriptor, writeSide);
  }

  end(): void {
    this.#gone(undefined);
  }

  terminate(): void {
    if (this.#descriptor < 0) return;
    this.#kernel.lingerForNothing(this.#descriptor);
    this.#gone(undefined);
  }

  /** Leaves the connection to whoever else has it. */
  close(): void {
    if (this.#descriptor >= 0) this.#loop.forget(this);
    this.#gone(undefined);
  }

  /** It is connected: its owner shall hear of it. */
  begin(): void {
    try {
      this.data.opened(this);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  onEvents(events: number): void {
    if (this.#is(is.connecting)) return this.#onConnecting(events);
    if ((events & failed) !== 0) return this.#readOut();
    if ((events & writable) !== 0 && this.#is(is.full)) this.#drained();
    if ((events & (readable | notable)) === 0) return;
    if ((events & notable) !== 0) this.#note(is.readToTheEnd);
    this.#note(is.readable);
    if (!this.#is(is.paused)) this.#read();
  }

  goOn(): void {
    this.#forget(is.waiting);
    if (this.#broken !== 0) return this.#readOut();
    if (this.#is(is.readable) && !this.#is(is.paused)) this.#read();
  }

  /** The connection is lost. What came before is still there to be read, also by one that pauses, because there is no later. */
  #readOut(): void {
    const { calls } = this.#kernel;
    let length = 1;
    while (length > 0) {
      if (this.#descriptor < 0) return;
      length = calls.recv(this.#descriptor, readMemory.at, mostRead, 0);
      if (length > 0) this.#received(readMemory.take(length));
    }
    const errno = length < 0 ? calls.errno() : 0;
    // Reading ends before the error if there was a FIN; or if a write of ours has had the error already, when nobody knows.
    if (length === 0 && this.#broken === 0) this.#ended();
    if (this.#descriptor < 0) return;
    const why = this.#broken || (errno === errors.EAGAIN ? 0 : errno) || this.#kernel.errorOf(this.#descriptor);
    this.#gone(callFailed("read", why || errors.ECONNRESET));
  }

  #onConnecting(events: number): void {
    if ((events & (writable | failed | hungUp)) === 0) return;
    this.#forget(is.connecting);
    const errno = (events & (failed | hungUp)) === 0 ? 0 : this.#kernel.errorOf(this.#descriptor);
    if (errno !== 0) {
      this.#letGo();
      this.data.refused(callFailed("connect", errno));
      return;
    }
    // What has come already is read in the next turn: by then whoever waits for the connection has taken it over.
    if ((events & (readable | notable)) !== 0) this.#note(is.readable);
    if ((events & notable) !== 0) this.#note(is.readToTheEnd);
    this.begin();
    if (this.#is(is.readable)) this.#askForTurn();
  }

  #drained(): void {
    this.#forget(is.full);
    try {
      this.data.drained();
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #read(): void {
    const { calls } = this.#kernel;
    for (let reads = 0; reads < mostReads; reads++) {
      if (this.#descriptor < 0 || this.#is(is.paused)) return;
      const length = calls.recv(this.#descriptor, readMemory.at, mostRead, 0);
      if (length <= 0) return this.#readNothing(length);
      if (length < mostRead && !this.#is(is.readToTheEnd)) this.#forget(is.readable);
      this.#received(readMemory.take(length));
      if (!this.#is(is.readable)) return;
    }
    this.#askForTurn();
  }

  #received(bytes: Buffer): void {
    try {
      this.data.received(bytes);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #readNothing(length: number): void {
    this.#forget(is.readable);
    if (length === 0) return this.#ended();
    const errno = this.#kernel.calls.errno();
    if (errno !== errors.EAGAIN) this.#gone(callFailed("read", errno));
  }

  /** The peer's FIN: if ours was sent before, nothing is left of the connection. */
  #ended(): void {
    if (this.#broken !== 0) return this.#gone(callFailed("write", this.#broken));
    if (this.#is(is.ended)) return;
    this.#note(is.ended);
    if (this.#is(is.shutDown)) return this.#gone(undefined);
    try {
      this.data.ended();
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #failed(thrown: unknown): void {
    this.data.failed(thrown instanceof Error ? thrown : new Error(String(thrown)));
  }

  #askForTurn(): void {
    if (this.#is(is.waiting) || this.#descriptor < 0) return;
    this.#note(is.waiting);
    this.#loop.again(this);
  }

  #gone(error: Error | undefined): void {
    if (this.#descriptor < 0) return;
    this.#letGo();
    try {
      this.data.closed(error);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #letGo(): void {
    const descriptor = this.#descriptor;
    this.#loop.remove(this);
    this.#descriptor = -1;
    this.#kernel.calls.close(descriptor);
  }
}
