import type { Socket } from "bun";
import type { SecureContext } from "./secure-context.ts";

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
  /** The TLS handshake is over. `error` may also say what is wrong with the peer's certificate, or that it has none. */
  secured?(isDone: boolean, error: Error | null): void;
  /** A connection could not be made. */
  refused(error: Error): void;
  /** One of our own handlers threw. */
  failed(error: Error): void;
}

/** A socket of Bun, with what its types leave out. */
export type OwnedSocket = Socket<SocketOwner> & {
  /** The descriptor. */
  readonly fd: number;
  /** Before a TLS handshake: the certificates, and the authorities, of this socket alone. */
  setKeyCert(context: SecureContext): void;
};

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
  handshake(socket: OwnedSocket, isDone: boolean, error: Error | null) {
    socket.data.secured?.(isDone, error);
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
