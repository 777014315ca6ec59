import { GatewayError } from "../../core/errors.ts";
import { proxyHeader } from "../../core/proxy-header.ts";
import { silentReceiver, type Wire } from "../../core/wire.ts";
import { ClientConnection } from "../http1/client-connection.ts";
import type { Attempt, ForwardDial } from "./forward.ts";

/** Dials the endpoint of a try, and speaks HTTP/1.1 with it. The connection ends with the exchange, unless it is taken out of its scope. */
export async function connect(attempt: Attempt): Promise<{ connection: ClientConnection; wire: Wire }> {
  const { exchange, parts, endpoint } = attempt;
  const wire = await dialEndpoint(attempt, { timeoutMs: dialTimeLeft(attempt), protocol: "http/1.1" });
  const { proxyProtocol } = endpoint;
  if (proxyProtocol !== undefined) {
    wire.write(proxyHeader(proxyProtocol, { source: exchange.client, destination: exchange.peer.local }));
  }
  if (!exchange.scope.disposed) return { connection: new ClientConnection(wire, parts.wheel), wire };
  wire.destroy();
  throw new GatewayError("client_gone", "the client closed the connection");
}

/** Dials the endpoint of a try, and notes what came of it. */
export async function dialEndpoint(attempt: Attempt, how: Pick<ForwardDial, "timeoutMs" | "protocol">): Promise<Wire> {
  const { exchange, parts, endpoint } = attempt;
  endpoint.connecting++;
  let wire: Wire;
  try {
    const { wheel } = parts;
    const upstream = exchange.notes.upstream ?? "";
    wire = await parts.dial({ upstream, to: endpoint, receiver: silentReceiver, wheel, ...how });
  } catch (error) {
    // That the gateway itself has no descriptors left says nothing of the endpoint.
    if (!(error instanceof GatewayError) || error.side === "upstream") endpoint.traffic.failed("connect");
    throw error;
  } finally {
    endpoint.connecting--;
  }
  endpoint.traffic.succeeded("connect");
  return wire;
}

/** The time for one connect, and for a handshake no more than what is left of its own. */
export function dialTimeLeft(attempt: Attempt): number {
  const { connectMs } = attempt.exchange.route.timeouts;
  const leftMs = attempt.exchange.kind === "handshake" ? timeLeft(attempt) : 0;
  return leftMs === 0 || connectMs === 0 ? Math.max(leftMs, connectMs) : Math.min(leftMs, connectMs);
}

/** What is left of the deadline of a handshake, which dialling and further tries share (ms); 0 if it has none. */
export function timeLeft({ exchange, parts }: Attempt): number {
  const { handshakeMs } = exchange.route.timeouts;
  return handshakeMs === 0 ? 0 : Math.max(1, Math.round(exchange.startedAt + handshakeMs - parts.wheel.clock()));
}
