import type { Socket, TCPSocketListenOptions } from "bun";
import { type Receiver, silentReceiver } from "../../core/wire.ts";
import { closeError, socketEvents } from "./socket-events.ts";
import { type SocketState, SocketWire } from "./socket-wire.ts";

/** Where to listen, and who gets each new connection. */
export type ListenOptions = {
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Returns who listens to the new wire. It may destroy the wire at once. */
  readonly onConnection: (wire: SocketWire) => Receiver;
  /** The connection is gone, whoever ended it; called once for each `onConnection`. */
  readonly onGone: () => void;
};

/** A bound port. Closing it leaves its connections open. */
export type PortListener = { readonly port: number; close(): void };

/** Binds with SO_REUSEPORT, so that several workers can share the port. Throws if the address cannot be bound. */
export function listen(options: ListenOptions): PortListener {
  // reusePort is documented for connect only, and works here.
  const bind: TCPSocketListenOptions<SocketState> & { readonly reusePort: true } = {
    hostname: options.host,
    port: options.port,
    reusePort: true,
    allowHalfOpen: true,
    socket: {
      ...socketEvents,
      open(socket) {
        accept(socket, options);
      },
      close(socket, error) {
        const { wire } = socket.data;
        if (wire === undefined) return;
        socket.data.wire = undefined;
        wire.closed(closeError(error));
        options.onGone();
      },
    },
  };
  const listener = Bun.listen<SocketState>(bind);
  return { port: listener.port, close: () => listener.stop(false) };
}

function accept(socket: Socket<SocketState>, options: ListenOptions): void {
  const peer = { address: socket.remoteAddress, port: socket.remotePort };
  const wire = new SocketWire(socket, peer, silentReceiver);
  socket.data = { wire };
  const receiver = options.onConnection(wire);
  if (!wire.isClosed) wire.receiver = receiver;
}
