import type { PeerAddress } from "../../core/wire.ts";
import { READABLE } from "./epoll.ts";
import { STREAM } from "./kernel-connect.ts";
import type { KernelLoop, Watched } from "./kernel-loop.ts";
import { KernelSocket, SOL_SOCKET, scratch } from "./kernel-socket.ts";
import { IPV6 } from "./socket-address.ts";
import type { SocketOwner } from "./socket-owner.ts";
import { callFailed, EMFILE, ENFILE, ENOBUFS, ENOMEM } from "./system-calls.ts";

// Linux: asm-generic/socket.h, bits/socket_type.h, linux/in6.h.
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;

/** How many may wait to be accepted; the kernel's own limit (net.core.somaxconn) is the other bound. */
const backlog = 4096;
/** After so many in a row it is somebody else's turn. */
const mostAccepted = 64;
/** How long nobody is accepted once the system has nothing left for them (ms). */
const restMs = 100;
const nothingLeft: ReadonlySet<number> = new Set([EMFILE, ENFILE, ENOBUFS, ENOMEM]);

/** Where to listen, and who owns what comes. */
export type KernelListenOptions = {
  readonly loop: KernelLoop;
  readonly host: string;
  readonly port: number;
  readonly owner: SocketOwner;
  /** Given if another process has bound the port. */
  readonly descriptor?: number | undefined;
};

/** A bound port without anything of Bun's. */
export class KernelListener implements Watched {
  readonly port: number;
  generation = 0;
  readonly #loop: KernelLoop;
  readonly #owner: SocketOwner;
  #descriptor: number;

  private constructor(loop: KernelLoop, owner: SocketOwner, descriptor: number) {
    const { calls, address } = scratch();
    this.#loop = loop;
    this.#owner = owner;
    this.#descriptor = descriptor;
    address.clear();
    calls.getsockname(descriptor, address.at, address.lengthAt);
    this.port = address.take()?.port ?? 0;
    loop.add(this, READABLE);
  }

  /** Undefined if the host is no address. Throws if it cannot be bound, an Error with the kernel's `code`. */
  static open({ loop, host, port, owner, descriptor }: KernelListenOptions): KernelListener | undefined {
    const bound = descriptor ?? bind(host, port);
    return bound === undefined ? undefined : new KernelListener(loop, owner, bound);
  }

  get descriptor(): number {
    return this.#descriptor;
  }

  get fd(): number {
    return this.#descriptor;
  }

  /** Leaves connections open, and those who wait in the queue to others who have the descriptor. */
  stop(): void {
    if (this.#descriptor < 0) return;
    this.#loop.remove(this, true);
    scratch().calls.close(this.#descriptor);
    this.#descriptor = -1;
  }

  onEvents(): void {
    const { calls, address } = scratch();
    for (let accepted = 0; accepted < mostAccepted && this.#descriptor >= 0; accepted++) {
      const descriptor = calls.accept4(this.#descriptor, null, null, NONBLOCK_CLOEXEC);
      if (descriptor < 0) return this.#acceptedNobody(calls.errno());
      address.clear();
      // Who has reset the connection meanwhile is nobody's, and has no address any more.
      if (calls.getpeername(descriptor, address.at, address.lengthAt) !== 0) calls.close(descriptor);
      else this.#opened(descriptor, address.take());
    }
  }

  goOn(): void {}

  #opened(descriptor: number, peer: PeerAddress | undefined): void {
    let socket: KernelSocket;
    try {
      socket = new KernelSocket({ loop: this.#loop, descriptor, owner: this.#owner, peer });
    } catch {
      return this.#rest();
    }
    socket.begin();
  }

  /** The queue is empty, or its first one has gone; or nobody can be accepted, and asking again at once would be a loop without end. */
  #acceptedNobody(errno: number): void {
    if (nothingLeft.has(errno)) this.#rest();
  }

  #rest(): void {
    this.#loop.remove(this, true);
    setTimeout(() => {
      if (this.#descriptor >= 0) this.#loop.add(this, READABLE);
    }, restMs);
  }
}

/** A descriptor of a bound port that listens. With SO_REUSEPORT, so that several workers can share the port. */
function bind(host: string, port: number): number | undefined {
  const made = scratch();
  const { calls, address } = made;
  const target = address.put(host, port);
  if (target === undefined) return undefined;
  const descriptor = calls.socket(target.family, STREAM, 0);
  if (descriptor < 0) throw callFailed("socket", calls.errno());
  made.set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
  made.set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  // `::` takes clients of both families.
  if (target.family === IPV6) made.set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (calls.bind(descriptor, address.at, target.length) === 0 && calls.listen(descriptor, backlog) === 0)
    return descriptor;
  const errno = calls.errno();
  calls.close(descriptor);
  throw callFailed("listen", errno);
}
