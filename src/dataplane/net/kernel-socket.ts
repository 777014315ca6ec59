import { ptr } from "bun:ffi";
import type { PeerAddress } from "../../core/wire.ts";
import { EDGES, FAILED, HUNG_UP, PEER_ENDED, READABLE, WRITABLE } from "./epoll.ts";
import type { KernelLoop, Watched } from "./kernel-loop.ts";
import { mostRead, readMemory } from "./read-memory.ts";
import { SocketAddress } from "./socket-address.ts";
import type { OwnedSocket, SocketOwner } from "./socket-owner.ts";
import { callFailed, EAGAIN, EINTR, fixedMemory, type SystemCalls, systemCalls } from "./system-calls.ts";

// Linux: asm-generic/socket.h, bits/socket.h, netinet/tcp.h.
export const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_LINGER = 13;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;

/** After so many reads in a row it is somebody else's turn. */
const mostReads = 4;

/** Values that calls take and give; made once there is a socket. */
class Scratch {
  readonly calls: SystemCalls = systemCalls();
  readonly address = new SocketAddress(this.calls);
  readonly #number = new Int32Array(fixedMemory(4));
  readonly #numberAt = ptr(this.#number);
  readonly #length = new Uint32Array(fixedMemory(4));
  readonly #lengthAt = ptr(this.#length);
  readonly #linger = new Int32Array(fixedMemory(8));
  readonly #lingerAt = ptr(this.#linger);

  /** Sets an option that is a number. */
  set(descriptor: number, level: number, option: number, value: number): void {
    this.#number[0] = value;
    this.calls.setsockopt(descriptor, level, option, this.#numberAt, 4);
  }

  /** What is wrong with a socket (errno), which forgets it; 0 if nothing is. */
  errorOf(descriptor: number): number {
    this.#length[0] = 4;
    this.calls.getsockopt(descriptor, SOL_SOCKET, SO_ERROR, this.#numberAt, this.#lengthAt);
    return this.#number[0] as number;
  }

  /** Closing it shall be a reset. */
  lingerForNothing(descriptor: number): void {
    this.#linger[0] = 1;
    this.calls.setsockopt(descriptor, SOL_SOCKET, SO_LINGER, this.#lingerAt, 8);
  }
}

let made: Scratch | undefined;

export function scratch(): Scratch {
  made ??= new Scratch();
  return made;
}

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
  readonly #scratch = scratch();
  readonly #peer: PeerAddress | undefined;
  /** -1 once it is closed. */
  #descriptor: number;
  #isConnecting: boolean;
  #isPaused = false;
  /** There may be something to read. */
  #isReadable = false;
  /** The peer's FIN has come, behind what there is to read. */
  #hasFin = false;
  /** That was read too. */
  #hasEnded = false;
  #isShutDown = false;
  /** The kernel did not take all that it was given last. */
  #isFull = false;
  /** Its next turn is asked for. */
  #isWaiting = false;
  /** What a write has failed with (errno), which the owner shall hear in a turn of its own. */
  #broken = 0;

  /** Throws, and closes the descriptor, if the kernel cannot watch it. */
  constructor({ loop, descriptor, owner, isConnecting = false, peer }: KernelSocketOptions) {
    this.data = owner;
    this.#loop = loop;
    this.#descriptor = descriptor;
    this.#isConnecting = isConnecting;
    this.#peer = peer;
    const { calls } = this.#scratch;
    this.#scratch.set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    try {
      loop.add(this, READABLE | WRITABLE | PEER_ENDED | EDGES);
    } catch (error) {
      calls.close(descriptor);
      throw error;
    }
  }

  get descriptor(): number {
    return this.#descriptor;
  }

  get fd(): number {
    return this.#descriptor;
  }

  get remoteAddress(): string {
    return this.#peer?.address ?? this.#ask("getpeername")?.address ?? "";
  }

  get remotePort(): number {
    return this.#peer?.port ?? this.#ask("getpeername")?.port ?? 0;
  }

  get localAddress(): string {
    return this.#ask("getsockname")?.address ?? "";
  }

  get localPort(): number {
    return this.#ask("getsockname")?.port ?? 0;
  }

  write(bytes: Uint8Array, offset = 0, length = bytes.length - offset): number {
    const descriptor = this.#descriptor;
    if (descriptor < 0 || this.#broken !== 0) return -1;
    if (length === 0) return 0;
    const { calls } = this.#scratch;
    const from = offset === 0 ? bytes : ptr(bytes, offset);
    let taken = calls.send(descriptor, from, length, MSG_NOSIGNAL);
    if (taken === length) return taken;
    this.#isFull = true;
    if (taken >= 0) return taken;
    let errno = calls.errno();
    if (errno === EINTR) {
      taken = calls.send(descriptor, from, length, MSG_NOSIGNAL);
      if (taken >= 0) return taken;
      errno = calls.errno();
    }
    if (errno === EAGAIN || errno === EINTR) return 0;
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
    else this.#scratch.calls.shutdown(this.#descriptor, SHUT_WR);
  }

  end(): void {
    this.#gone(undefined);
  }

  terminate(): void {
    if (this.#descriptor < 0) return;
    this.#scratch.lingerForNothing(this.#descriptor);
    this.#gone(undefined);
  }

  /** Leaves the connection to whoever else has it. */
  close(): void {
    this.#gone(undefined, true);
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
    if ((events & FAILED) !== 0) {
      const errno = this.#scratch.errorOf(this.#descriptor);
      if (errno !== 0) return this.#gone(callFailed("read", errno));
    }
    if ((events & WRITABLE) !== 0 && this.#isFull) this.#drained();
    if ((events & (READABLE | PEER_ENDED | HUNG_UP)) === 0) return;
    if ((events & (PEER_ENDED | HUNG_UP)) !== 0) this.#hasFin = true;
    this.#isReadable = true;
    if (!this.#isPaused) this.#read();
  }

  goOn(): void {
    this.#isWaiting = false;
    if (this.#descriptor < 0) return;
    if (this.#broken !== 0) return this.#gone(callFailed("write", this.#broken));
    if (this.#isReadable && !this.#isPaused) this.#read();
  }

  #onConnecting(events: number): void {
    if ((events & (WRITABLE | FAILED | HUNG_UP)) === 0) return;
    this.#isConnecting = false;
    const errno = (events & (FAILED | HUNG_UP)) === 0 ? 0 : this.#scratch.errorOf(this.#descriptor);
    if (errno !== 0) {
      this.#letGo(false);
      this.data.refused(callFailed("connect", errno));
      return;
    }
    // What has come already is read in the next turn: by then whoever waits for the connection has taken it over.
    this.#isReadable = (events & (READABLE | PEER_ENDED | HUNG_UP)) !== 0;
    this.#hasFin = (events & (PEER_ENDED | HUNG_UP)) !== 0;
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
    const { calls } = this.#scratch;
    for (let reads = 0; reads < mostReads; reads++) {
      if (this.#descriptor < 0 || this.#isPaused) return;
      const length = calls.recv(this.#descriptor, readMemory.at, mostRead, 0);
      if (length <= 0) return this.#readNothing(length);
      this.#isReadable = length === mostRead || this.#hasFin;
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
    const errno = this.#scratch.calls.errno();
    if (errno === EAGAIN) return;
    if (errno !== EINTR) return this.#gone(callFailed("read", errno));
    this.#isReadable = true;
    this.#askForTurn();
  }

  /** The peer's FIN: if ours was sent before, nothing is left of the connection. */
  #ended(): void {
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

  #gone(error: Error | undefined, isShared = false): void {
    if (this.#descriptor < 0) return;
    this.#letGo(isShared);
    try {
      this.data.closed(error);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #letGo(isShared: boolean): void {
    const descriptor = this.#descriptor;
    this.#loop.remove(this, isShared);
    this.#descriptor = -1;
    this.#scratch.calls.close(descriptor);
  }

  #ask(call: "getsockname" | "getpeername"): PeerAddress | undefined {
    const { calls, address } = this.#scratch;
    address.clear();
    return calls[call](this.#descriptor, address.at, address.lengthAt) === 0 ? address.take() : undefined;
  }
}
