import type { Socket } from "bun";

/** The one that a socket's events are for: a wire, or whoever is about to make one. Every socket of ours carries it in `data`. */
export interface SocketOwner {
  opened(socket: OwnedSocket): void;
  received(bytes: Uint8Array): void;
  /** Comes also when nothing was queued. */
  drained(): void;
  /** The peer's FIN. */
  ended(): void;
  /** The socket is gone; Bun gives an error only after a reset. Called once, last. */
  closed(error: Error | undefined): void;
  /** A connection could not be made. */
  refused(error: Error): void;
  /** One of our own handlers threw. */
  failed(error: Error): void;
}

export type OwnedSocket = Socket<SocketOwner>;

/** The events of all sockets: one object for every one of them is Bun's fast path. */
export const socketEvents = {
  open(socket: OwnedSocket) {
    socket.data.opened(socket);
  },
  data(socket: OwnedSocket, bytes: Uint8Array) {
    socket.data.received(bytes);
  },
  drain(socket: OwnedSocket) {
    socket.data.drained();
  },
  end(socket: OwnedSocket) {
    socket.data.ended();
  },
  close(socket: OwnedSocket, error: unknown) {
    socket.data.closed(error instanceof Error ? error : undefined);
  },
  connectError(socket: OwnedSocket, error: Error) {
    socket.data.refused(error);
  },
  error(socket: OwnedSocket, error: Error) {
    socket.data.failed(error);
  },
} as const;
