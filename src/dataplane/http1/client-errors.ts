import { GatewayError } from "../../core/errors.ts";

/** The client ended or lost its connection. */
export function clientGone(): GatewayError {
  return new GatewayError("client_gone", "the client closed the connection");
}

/** The client did not wait for the answer to its handshake, and sent more than can be held. `limit` in bytes. */
export function earlyDataTooLong(limit: number): GatewayError {
  return new GatewayError("early_data_too_long", `more than ${limit} bytes came before the handshake was answered`);
}

/** The client stopped in the middle of a head or a body. */
export function requestTooSlow(part: "head" | "body"): GatewayError {
  return new GatewayError("request_timeout", `the ${part} did not come in time`);
}
