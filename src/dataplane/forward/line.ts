import { connectTimedOut } from "../../core/dial-errors.ts";
import { GatewayError } from "../../core/errors.ts";
import type { SharedConnection } from "../../core/shared-connection.ts";
import type { Wire } from "../../core/wire.ts";
import { Timer } from "../../kit/timer-wheel.ts";
import { OutgoingConnection } from "../http2/outgoing-connection.ts";
import { dialEndpoint, dialTimeLeft } from "./connect.ts";
import type { Attempt } from "./forward.ts";

/** What leads to an endpoint that may speak HTTP/2: a connection with room, or a fresh one on which it chose HTTP/1.1. */
export type Line =
  | { readonly kind: "shared"; readonly connection: SharedConnection }
  | { readonly kind: "single"; readonly wire: Wire };

/**
 * Finds a connection with room, waits for the one that is being made, or makes one. It stays when the exchange that it was made for is
 * gone, because others may wait for it.
 */
export async function findLine(attempt: Attempt): Promise<Line> {
  const { shared } = attempt.endpoint;
  for (;;) {
    const connection = shared.take();
    if (connection !== undefined) return { kind: "shared", connection };
    const { underWay } = shared;
    if (underWay !== undefined) {
      await inTime(attempt, underWay);
      continue;
    }
    return inTime(attempt, shared.announce(openLine(attempt)));
  }
}

async function openLine(attempt: Attempt): Promise<Line> {
  const { endpoint, parts } = attempt;
  const { shared, isSecure } = endpoint;
  const { connectMs } = attempt.exchange.route.timeouts;
  if (endpoint.isLeaving) throw hasLeft();
  const wire = await dialEndpoint(attempt, { timeoutMs: connectMs, protocol: "h2" });
  if (isSecure && wire.security?.protocol !== "h2") {
    shared.declined(parts.wheel.now);
    return { kind: "single", wire };
  }
  const connection = await begin(attempt, wire);
  if (connection.wantsHttp11) shared.declined(parts.wheel.now);
  // While this was under way the endpoint may have gone, or be spoken to in another way: then whoever asked looks again.
  if (endpoint.shared === shared && !endpoint.isLeaving && connection.hasRoom) {
    shared.add(connection);
    return { kind: "shared", connection };
  }
  connection.retire();
  if (endpoint.isLeaving) throw hasLeft();
  if (endpoint.shared !== shared || connection.wantsHttp11) return { kind: "shared", connection };
  throw new GatewayError("upstream_invalid", "the upstream takes no streams", { canRetry: true });
}

function hasLeft(): GatewayError {
  return new GatewayError("upstream_lost", "the endpoint has left the configuration", { canRetry: true });
}

async function begin({ endpoint, exchange, parts }: Attempt, wire: Wire): Promise<OutgoingConnection> {
  try {
    const timeoutMs = exchange.route.timeouts.connectMs;
    return await OutgoingConnection.open({ wire, wheel: parts.wheel, timeoutMs, onFault: parts.onFault });
  } catch (error) {
    endpoint.traffic.failed("connect");
    throw error;
  }
}

/** Waits no longer than this exchange may; what is waited for goes on. */
async function inTime<T>(attempt: Attempt, wait: Promise<T>): Promise<T> {
  const { exchange, endpoint, parts } = attempt;
  const timeoutMs = dialTimeLeft(attempt);
  const late = Promise.withResolvers<never>();
  const timer = new Timer(() => late.reject(connectTimedOut(endpoint.address, timeoutMs)));
  // A little later than the dial itself, whose reason says more.
  if (timeoutMs > 0) parts.wheel.arm(timer, timeoutMs + 50);
  try {
    const result = await Promise.race([wait, late.promise]);
    if (!exchange.scope.disposed) return result;
  } finally {
    parts.wheel.disarm(timer);
  }
  throw new GatewayError("client_gone", "the client closed the connection");
}
