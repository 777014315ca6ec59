import { GatewayError } from "./errors.ts";

// Addresses of endpoints are for the operator: what clients are told does not name them.

/** Nobody listens there, the address is unreachable, or its name has no address. Nothing was sent. */
export function connectFailed(address: string, cause: unknown): GatewayError {
  const inner = new Error(`cannot connect to ${address}`, { cause });
  return new GatewayError("upstream_refused", "the upstream cannot be reached", { canRetry: true, cause: inner });
}

/** The endpoint did not accept in time. Nothing was sent. */
export function connectTimedOut(address: string, timeoutMs: number): GatewayError {
  const inner = new Error(`${address} did not accept a connection within ${timeoutMs} ms`);
  return new GatewayError("upstream_connect_timeout", "the upstream does not accept connections", {
    canRetry: true,
    cause: inner,
  });
}
