import { ptr } from "bun:ffi";
import type { PeerAddress } from "../../core/wire.ts";
import { SocketAddress } from "./socket-address.ts";
import { fixedMemory, type SystemCalls, systemCalls } from "./system-calls.ts";

// Linux: asm-generic/socket.h, netinet/in.h, netinet/tcp.h, linux/in6.h.
/** Options of sockets that are numbers: level and name. */
export const socketOptions = {
  reuseAddress: [1, 2],
  reusePort: [1, 15],
  noDelay: [6, 1],
  onlyIpv6: [41, 26],
} as const;

const socketLevel = 1;
const lastError = 4;
const linger = 13;

/** A TCP socket for socket(2), which neither blocks nor reaches other programs. */
export const streamSocket = 1 | 0o4000 | 0o2000000;
/** The same for accept4(2). */
export const acceptedSocket = 0o4000 | 0o2000000;

/** System calls on sockets, with the memory that they take values from and give them in. */
export class KernelCalls {
  readonly calls: SystemCalls = systemCalls();
  readonly address = new SocketAddress(this.calls);
  readonly #number = new Int32Array(fixedMemory(4));
  readonly #numberAt = ptr(this.#number);
  readonly #length = new Uint32Array(fixedMemory(4));
  readonly #lengthAt = ptr(this.#length);
  readonly #linger = new Int32Array(fixedMemory(8));
  readonly #lingerAt = ptr(this.#linger);

  set(descriptor: number, [level, name]: readonly [level: number, name: number], value: number): void {
    this.#number[0] = value;
    this.calls.setsockopt(descriptor, level, name, this.#numberAt, 4);
  }

  /** What is wrong with a socket (`errno`), which forgets it; 0 if nothing is. */
  errorOf(descriptor: number): number {
    this.#length[0] = 4;
    this.calls.getsockopt(descriptor, socketLevel, lastError, this.#numberAt, this.#lengthAt);
    return this.#number[0] as number;
  }

  /** Closing it shall be a reset. */
  lingerForNothing(descriptor: number): void {
    this.#linger[0] = 1;
    this.calls.setsockopt(descriptor, socketLevel, linger, this.#lingerAt, 8);
  }

  /** One end of a connection; undefined if it has none, or none any more. */
  addressOf(descriptor: number, end: "getsockname" | "getpeername"): PeerAddress | undefined {
    const { calls, address } = this;
    address.clear();
    return calls[end](descriptor, address.at, address.lengthAt) === 0 ? address.take() : undefined;
  }
}

let made: KernelCalls | undefined;

/** Those of this process, which has one thread that calls. Throws where there are none. */
export function kernelCalls(): KernelCalls {
  made ??= new KernelCalls();
  return made;
}
