import { kernelCalls, streamSocket } from "./kernel-calls.ts";
import type { KernelLoop } from "./kernel-loop.ts";
import { KernelSocket } from "./kernel-socket.ts";
import type { SocketOwner } from "./socket-owner.ts";
import { callFailed, errors } from "./system-calls.ts";

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
  const { calls, address } = kernelCalls();
  const target = address.put(host, port);
  if (target === undefined) return undefined;
  const descriptor = calls.socket(target.family, streamSocket, 0);
  if (descriptor < 0) throw callFailed("socket", calls.errno());
  const errno = calls.connect(descriptor, address.at, target.length) === 0 ? 0 : calls.errno();
  if (errno !== 0 && errno !== errors.EINPROGRESS) {
    calls.close(descriptor);
    throw callFailed("connect", errno);
  }
  try {
    return KernelSocket.open({ loop, descriptor, owner, isConnecting: true });
  } catch (error) {
    calls.close(descriptor);
    throw error;
  }
}
