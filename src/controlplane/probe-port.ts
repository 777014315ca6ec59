import { createServer } from "node:net";
import type { ListenAddress } from "../core/listen-address.ts";

/** What became of an attempt to bind: the port (the one the kernel chose, for 0), or why not. */
export type Probe = { readonly port: number } | { readonly cause: unknown };

/**
 * Binds an address for itself alone, and lets it go at once. Listeners share their ports (SO_REUSEPORT) and would not notice another
 * program of the same user on one; this bind does.
 */
export function probePort(address: ListenAddress): Promise<Probe> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (cause) => resolve({ cause }));
    server.listen({ ...address, exclusive: true }, () => {
      const bound = server.address();
      const port = bound !== null && typeof bound === "object" ? bound.port : address.port;
      server.close(() => resolve({ port }));
    });
  });
}
