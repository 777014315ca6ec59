import type { SocketHandler } from "bun";
import type { SocketState } from "./socket-wire.ts";

/** The events that every socket of ours shares after it is open; one object for all sockets is Bun's fast path. */
export const socketEvents = {
  data(socket, bytes) {
    socket.data.wire?.received(bytes);
  },
  drain(socket) {
    socket.data.wire?.drained();
  },
  end(socket) {
    socket.data.wire?.ended();
  },
  error(socket, error) {
    socket.data.wire?.failed(error);
  },
} as const satisfies SocketHandler<SocketState>;

/** Bun gives `close` an error only after a reset; everything else is an orderly end. */
export function closeError(error: unknown): Error | undefined {
  return error instanceof Error ? error : undefined;
}
