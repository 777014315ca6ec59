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

/** A socket of Bun's, or one of the kernel's without Bun. */
export interface OwnedSocket {
  data: SocketOwner;
  /** The descriptor. */
  readonly fd: number;
  /** Empty if there is none any more. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Returns how many bytes the kernel has taken; less than none if it will never take any. */
  write(bytes: Uint8Array, offset?: number, length?: number): number;
  pause(): void;
  resume(): void;
  /** Sends a FIN; reading goes on. */
  shutdown(): void;
  /** Closes it; the owner hears `closed` before this returns. */
  end(): void;
  /** Closes it with a reset. */
  terminate(): void;
  /** Closes the descriptor, and not the connection if somebody else has it too. */
  close(): void;
}

/** A socket of Bun's that may speak TLS, with what Bun's types leave out. */
export type BunSocket = Socket<SocketOwner> & {
  readonly fd: number;
  /** Before a TLS handshake: the certificates, and the authorities, of this socket alone. */
  setKeyCert(context: SecureContext): void;
};

/** A socket as one that may speak TLS. Throws if it cannot, so that nothing meant for TLS ever goes on in the clear. */
export function bunSocketOf(socket: OwnedSocket): BunSocket {
  if (isBunSocket(socket)) return socket;
  throw new Error("only a socket of Bun's speaks TLS");
}

/** False for a socket of the kernel's without Bun. */
export function isBunSocket(socket: OwnedSocket): socket is BunSocket {
  return "setKeyCert" in socket;
}

/** The events of all sockets of Bun's: one object for every one of them is Bun's fast path. */
export const socketEvents = {
  open(socket: BunSocket) {
    socket.data.opened(socket);
  },
  data(socket: BunSocket, bytes: Uint8Array) {
    socket.data.received(bytes);
  },
  drain(socket: BunSocket) {
    socket.data.drained();
  },
  end(socket: BunSocket) {
    socket.data.ended();
  },
  handshake(socket: BunSocket, isDone: boolean, error: Error | null) {
    socket.data.secured?.(isDone, error);
  },
  close(socket: BunSocket, error: unknown) {
    socket.data.closed(error instanceof Error ? error : undefined);
  },
  connectError(socket: BunSocket, error: Error) {
    socket.data.refused(error);
  },
  error(socket: BunSocket, error: Error) {
    socket.data.failed(error);
  },
} as const;
