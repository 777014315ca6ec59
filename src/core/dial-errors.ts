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

/** The certificate it shows is not accepted. Nothing was sent. */
export function certificateRefused(address: string, cause: unknown): GatewayError {
  const inner = new Error(`the certificate of ${address} is not accepted`, { cause });
  return new GatewayError("upstream_certificate", "the upstream cannot be trusted", { canRetry: true, cause: inner });
}

/** It accepted the connection and no TLS handshake. Nothing was sent. */
export function secureDialFailed(address: string, cause: unknown): GatewayError {
  const inner = new Error(`the TLS handshake with ${address} failed`, { cause });
  return new GatewayError("upstream_tls", "the upstream cannot be spoken to over TLS", {
    canRetry: true,
    cause: inner,
  });
}
