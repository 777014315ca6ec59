import type { TCPSocketConnectOptions } from "bun";
import type { WireState } from "../../core/handover.ts";
import { silentReceiver } from "../../core/wire.ts";
import { kernelLoop } from "./kernel-loop.ts";
import { KernelSocket } from "./kernel-socket.ts";
import { type OwnedSocket, type SocketOwner, socketEvents } from "./socket-owner.ts";
import { SocketWire, type WireKeeper } from "./socket-wire.ts";

/** A connection that another process had. */
export type AdoptOptions = {
  readonly descriptor: number;
  readonly state: WireState;
  /** Hears of the end of the wire. */
  readonly keeper: WireKeeper;
};

/** Makes a wire of a connection that another process had; it is frozen until it is thawed. Throws if it is none. */
export function adopt(options: AdoptOptions): SocketWire {
  const adoption = new Adoption(options);
  const loop = kernelLoop();
  if (loop !== undefined) {
    const { descriptor } = options;
    adoption.opened(KernelSocket.open({ loop, descriptor, owner: adoption }));
    return adoption.taken();
  }
  const how = { fd: options.descriptor, allowHalfOpen: true, data: adoption, socket: socketEvents };
  // Bun's types do not know `fd`, which its own node:net uses.
  const connecting = Bun.connect<SocketOwner>(how as unknown as TCPSocketConnectOptions<SocketOwner>);
  // The promise says nothing new: there is nothing to wait for, and Bun has opened the socket already.
  connecting.catch(() => {});
  return adoption.taken();
}

/** Owns a socket until it is open, and then makes it a wire's. */
class Adoption implements SocketOwner {
  readonly #options: AdoptOptions;
  #wire: SocketWire | undefined;

  constructor(options: AdoptOptions) {
    this.#options = options;
  }

  opened(socket: OwnedSocket): void {
    // At once: nothing may be read before the process that had it has let go.
    socket.pause();
    const { state, keeper } = this.#options;
    this.#wire = new SocketWire({ socket, peer: state.peer, receiver: silentReceiver, keeper, state });
    socket.data = this.#wire;
  }

  /** Throws if it was not opened. */
  taken(): SocketWire {
    if (this.#wire === undefined) throw new Error("a connection that was handed over could not be taken over");
    return this.#wire;
  }

  received(): void {}
  drained(): void {}
  ended(): void {}
  closed(): void {}
  refused(): void {}
  failed(): void {}
}
