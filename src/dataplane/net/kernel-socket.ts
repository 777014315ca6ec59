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
  #isConnecting: boolean;
  #isPaused = false;
  /** There may be something to read. */
  #isReadable = false;
  /** Reading goes on until there is nothing. */
  #readsToTheEnd = false;
  /** The peer's FIN was read. */
  #hasEnded = false;
  #isShutDown = false;
  /** The kernel did not take all that it was given last. */
  #isFull = false;
  /** Its next turn is asked for. */
  #isWaiting = false;
  /** What a write has failed with (errno), which the owner shall hear in a turn of its own. */
  #broken = 0;

  private constructor({ loop, descriptor, owner, isConnecting = false, peer }: KernelSocketOptions) {
    this.data = owner;
    this.#loop = loop;
    this.#descriptor = descriptor;
    this.#isConnecting = isConnecting;
    this.#peer = peer;
  }

  /** Throws if the kernel cannot watch it; the descriptor is still the caller's then. */
  static open(options: KernelSocketOptions): KernelSocket {
    const socket = new KernelSocket(options);
    options.loop.add(socket, readable | writable | peerEnded | urgent | edges);
    socket.#kernel.set(options.descriptor, socketOptions.noDelay, 1);
    return socket;
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
    this.#isFull = true;
    if (taken >= 0) return taken;
    // A call that does not wait is never interrupted: there is no other reason to try again.
    const errno = calls.errno();
    if (errno === errors.EAGAIN) return 0;
    this.#broken = errno;
    this.#askForTurn();
    return -1;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#isReadable) this.#askForTurn();
  }

  shutdown(): void {
    if (this.#descriptor < 0 || this.#isShutDown) return;
    this.#isShutDown = true;
    if (this.#hasEnded) this.#gone(undefined);
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
    if (this.#isConnecting) return this.#onConnecting(events);
    if ((events & failed) !== 0) return this.#readOut();
    if ((events & writable) !== 0 && this.#isFull) this.#drained();
    if ((events & (readable | notable)) === 0) return;
    if ((events & notable) !== 0) this.#readsToTheEnd = true;
    this.#isReadable = true;
    if (!this.#isPaused) this.#read();
  }

  goOn(): void {
    this.#isWaiting = false;
    if (this.#broken !== 0) return this.#readOut();
    if (this.#isReadable && !this.#isPaused) this.#read();
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
    this.#isConnecting = false;
    const errno = (events & (failed | hungUp)) === 0 ? 0 : this.#kernel.errorOf(this.#descriptor);
    if (errno !== 0) {
      this.#letGo();
      this.data.refused(callFailed("connect", errno));
      return;
    }
    // What has come already is read in the next turn: by then whoever waits for the connection has taken it over.
    this.#isReadable = (events & (readable | notable)) !== 0;
    this.#readsToTheEnd = (events & notable) !== 0;
    this.begin();
    if (this.#isReadable) this.#askForTurn();
  }

  #drained(): void {
    this.#isFull = false;
    try {
      this.data.drained();
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #read(): void {
    const { calls } = this.#kernel;
    for (let reads = 0; reads < mostReads; reads++) {
      if (this.#descriptor < 0 || this.#isPaused) return;
      const length = calls.recv(this.#descriptor, readMemory.at, mostRead, 0);
      if (length <= 0) return this.#readNothing(length);
      this.#isReadable = length === mostRead || this.#readsToTheEnd;
      this.#received(readMemory.take(length));
      if (!this.#isReadable) return;
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
    this.#isReadable = false;
    if (length === 0) return this.#ended();
    const errno = this.#kernel.calls.errno();
    if (errno !== errors.EAGAIN) this.#gone(callFailed("read", errno));
  }

  /** The peer's FIN: if ours was sent before, nothing is left of the connection. */
  #ended(): void {
    if (this.#broken !== 0) return this.#gone(callFailed("write", this.#broken));
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#isShutDown) return this.#gone(undefined);
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
    if (this.#isWaiting || this.#descriptor < 0) return;
    this.#isWaiting = true;
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
