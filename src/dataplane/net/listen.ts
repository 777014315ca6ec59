import type { TCPSocketListenOptions } from "bun";
import { explainListenFailure } from "../../core/listen-address.ts";
import { formatAddress } from "../../core/snapshot.ts";
import { type Receiver, silentReceiver } from "../../core/wire.ts";
import { type OwnedSocket, type SocketOwner, socketEvents } from "./socket-owner.ts";
import { SocketWire, type WireKeeper } from "./socket-wire.ts";

/** Where to listen, and who gets each new connection. */
export type ListenOptions = {
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Returns who listens to the new wire. It may destroy the wire at once. */
  readonly onConnection: (wire: SocketWire) => Receiver;
  /** Hears once of the end of each wire that `onConnection` was given. */
  readonly keeper: WireKeeper;
};

/** A bound port. Closing it leaves its connections open. */
export type PortListener = { readonly port: number; close(): void };

/** Binds with SO_REUSEPORT, so that several workers can share the port. Throws if the address cannot be bound. */
export function listen(options: ListenOptions): PortListener {
  // reusePort is documented for connect only, and works here.
  const bind: TCPSocketListenOptions<SocketOwner> & { readonly reusePort: true } = {
    hostname: options.host,
    port: options.port,
    reusePort: true,
    allowHalfOpen: true,
    data: new Door(options),
    socket: socketEvents,
  };
  try {
    const listener = Bun.listen<SocketOwner>(bind);
    return { port: listener.port, close: () => listener.stop(false) };
  } catch (error) {
    throw cannotListen(options, error);
  }
}

/** Bun's own words name neither the port nor the reason. */
function cannotListen(address: { readonly host: string; readonly port: number }, cause: unknown): Error {
  return new Error(`cannot listen on ${formatAddress(address)}: ${explainListenFailure(cause).says}`, { cause });
}

/** Owns a socket until it is open, and then makes it a wire's. */
class Door implements SocketOwner {
  readonly #options: ListenOptions;

  constructor(options: ListenOptions) {
    this.#options = options;
  }

  opened(socket: OwnedSocket): void {
    // A client that has reset its connection before it was accepted has no address any more, whatever the type says.
    if (!socket.remoteAddress) {
      socket.terminate();
      return;
    }
    const peer = { address: socket.remoteAddress, port: socket.remotePort };
    const wire = new SocketWire({ socket, peer, receiver: silentReceiver, keeper: this.#options.keeper });
    socket.data = wire;
    const receiver = this.#options.onConnection(wire);
    if (!wire.isClosed) wire.receiver = receiver;
  }

  received(): void {}
  drained(): void {}
  ended(): void {}
  closed(): void {}
  refused(): void {}
  failed(): void {}
}
