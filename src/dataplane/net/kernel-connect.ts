import type { KernelLoop } from "./kernel-loop.ts";
import { KernelSocket, scratch } from "./kernel-socket.ts";
import type { SocketOwner } from "./socket-owner.ts";
import { callFailed, EINPROGRESS } from "./system-calls.ts";

// Linux: bits/socket_type.h.
export const STREAM = 1 | 0o4000 | 0o2000000;

/** Where to connect, and who hears what comes of it. */
export type KernelConnectOptions = {
  readonly loop: KernelLoop;
  readonly host: string;
  readonly port: number;
  readonly owner: SocketOwner;
};

/**
 * Begins to connect; its owner hears `opened` or `refused`. Undefined if the host is no address but a name. Throws what the kernel says at
 * once: there are no descriptors or ports left, or no way leads there.
 */
export function kernelConnect({ loop, host, port, owner }: KernelConnectOptions): KernelSocket | undefined {
  const { calls, address } = scratch();
  const target = address.put(host, port);
  if (target === undefined) return undefined;
  const descriptor = calls.socket(target.family, STREAM, 0);
  if (descriptor < 0) throw callFailed("socket", calls.errno());
  const errno = calls.connect(descriptor, address.at, target.length) === 0 ? 0 : calls.errno();
  if (errno !== 0 && errno !== EINPROGRESS) {
    calls.close(descriptor);
    throw callFailed("connect", errno);
  }
  return new KernelSocket({ loop, descriptor, owner, isConnecting: true });
}
