import type { PeerAddress } from "../../core/wire.ts";
import { after } from "../../kit/sleep.ts";
import { happenings } from "./epoll.ts";
import { acceptedSocket, kernelCalls, socketOptions, streamSocket } from "./kernel-calls.ts";
import type { KernelLoop, Watched } from "./kernel-loop.ts";
import { KernelSocket } from "./kernel-socket.ts";
import type { SocketOwner } from "./socket-owner.ts";
import { callFailed, errors } from "./system-calls.ts";

/** How many may wait to be accepted; the kernel's own limit (net.core.somaxconn) is the other bound. */
const backlog = 4096;
/** After so many in a row it is somebody else's turn. */
const mostAccepted = 64;
/** How long nobody is accepted once the system has nothing left for them (ms). */
const restMs = 100;
const nothingLeft: ReadonlySet<number> = new Set([errors.EMFILE, errors.ENFILE, errors.ENOBUFS, errors.ENOMEM]);

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
  /** Ends the rest, while there is one. */
  #resting: (() => void) | undefined;

  private constructor(loop: KernelLoop, owner: SocketOwner, descriptor: number) {
    this.#loop = loop;
    this.#owner = owner;
    this.#descriptor = descriptor;
    this.port = kernelCalls().addressOf(descriptor, "getsockname")?.port ?? 0;
  }

  /** Undefined if the host is no address. Throws if it cannot be bound, an Error with the kernel's `code`. */
  static open({ loop, host, port, owner, descriptor }: KernelListenOptions): KernelListener | undefined {
    const bound = descriptor ?? bind(host, port);
    if (bound === undefined) return undefined;
    const listener = new KernelListener(loop, owner, bound);
    try {
      loop.add(listener, happenings.readable);
      return listener;
    } catch (error) {
      kernelCalls().calls.close(bound);
      throw error;
    }
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
    this.#resting?.();
    this.#loop.forget(this);
    kernelCalls().calls.close(this.#descriptor);
    this.#descriptor = -1;
  }

  onEvents(): void {
    const kernel = kernelCalls();
    for (let accepted = 0; accepted < mostAccepted && this.#descriptor >= 0; accepted++) {
      const descriptor = kernel.calls.accept4(this.#descriptor, null, null, acceptedSocket);
      if (descriptor < 0) return this.#acceptedNobody(kernel.calls.errno());
      // Who has reset the connection meanwhile is nobody's, and has no address any more.
      const peer = kernel.addressOf(descriptor, "getpeername");
      if (peer === undefined) kernel.calls.close(descriptor);
      else if (!this.#opened(descriptor, peer)) return;
    }
  }

  goOn(): void {}

  /** False if the kernel cannot watch another one, who is sent away then. */
  #opened(descriptor: number, peer: PeerAddress): boolean {
    let socket: KernelSocket;
    try {
      socket = KernelSocket.open({ loop: this.#loop, descriptor, owner: this.#owner, peer });
    } catch {
      kernelCalls().calls.close(descriptor);
      this.#rest();
      return false;
    }
    socket.begin();
    return true;
  }

  /** The queue is empty, or its first one has gone; or nobody can be accepted, and asking again at once would be a loop without end. */
  #acceptedNobody(errno: number): void {
    if (nothingLeft.has(errno)) this.#rest();
  }

  #rest(): void {
    if (this.#resting !== undefined) return;
    this.#loop.forget(this);
    this.#resting = after(restMs, () => {
      this.#resting = undefined;
      try {
        this.#loop.add(this, happenings.readable);
      } catch {
        this.#rest();
      }
    });
  }
}

/** A descriptor of a bound port that listens. With SO_REUSEPORT, so that several workers can share the port. */
function bind(host: string, port: number): number | undefined {
  const kernel = kernelCalls();
  const { calls, address } = kernel;
  const target = address.put(host, port);
  if (target === undefined) return undefined;
  const descriptor = calls.socket(target.family, streamSocket, 0);
  if (descriptor < 0) throw callFailed("socket", calls.errno());
  kernel.set(descriptor, socketOptions.reuseAddress, 1);
  kernel.set(descriptor, socketOptions.reusePort, 1);
  // `::` takes clients of both families.
  if (target.isIpv6) kernel.set(descriptor, socketOptions.onlyIpv6, 0);
  if (calls.bind(descriptor, address.at, target.length) === 0 && calls.listen(descriptor, backlog) === 0)
    return descriptor;
  const errno = calls.errno();
  calls.close(descriptor);
  throw callFailed("listen", errno);
}
