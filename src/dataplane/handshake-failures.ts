import { GatewayError } from "../core/errors.ts";
import { errorReply } from "./error-reply.ts";
import { responseHead } from "./http1/write-response.ts";
import type { HandshakeFailure } from "./net/secure-arrival.ts";

/** What a TLS handshake that came to nothing is called. */
export function handshakeError({
  kind,
  cause,
}: Omit<HandshakeFailure, "kind"> & { readonly kind: string }): GatewayError {
  switch (kind) {
    case "plain_http":
      return new GatewayError("plain_http", "this port speaks TLS: the address begins with https:// or wss://");
    case "late":
      return new GatewayError("tls_failed", "the TLS handshake took too long");
    case "no_certificate":
      return new GatewayError("tls_failed", "there is no certificate for this listener yet");
    case "certificate":
      return new GatewayError("tls_failed", `the client's certificate was not accepted: ${reasonOf(cause)}`);
    default:
      return new GatewayError("tls_failed", `the TLS handshake failed: ${reasonOf(cause)}`);
  }
}

/** OpenSSL's last word: `error:100000f0:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL` is `unsupported protocol`. */
function reasonOf(cause: Error | undefined): string {
  if (cause === undefined) return "the client broke it off";
  const word = /^error:.*:([A-Z0-9_]+)$/.exec(cause.message)?.[1];
  return word === undefined ? cause.message : word.toLowerCase().replaceAll("_", " ");
}

/** The answer to a request that came in the clear, ready to be sent. */
export function plainAnswer(error: GatewayError, requestId: string): Uint8Array {
  const reply = errorReply(error, { requestId, accept: "" });
  const { head } = responseHead(reply, { method: "GET", version: 11, keepAlive: false });
  const body = reply.body instanceof Uint8Array ? reply.body : new Uint8Array();
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}
