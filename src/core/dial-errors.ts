import { GatewayError } from "./errors.ts";

/** Nobody listens there, the address is unreachable, or its name has no address. Nothing was sent. */
export function connectFailed(address: string, cause: unknown): GatewayError {
  return new GatewayError("upstream_refused", `cannot connect to ${address}`, { canRetry: true, cause });
}

/** The endpoint did not accept in time. Nothing was sent. */
export function connectTimedOut(address: string, timeoutMs: number): GatewayError {
  const says = `${address} did not accept a connection within ${timeoutMs} ms`;
  return new GatewayError("upstream_connect_timeout", says, { canRetry: true });
}
