import { GatewayError } from "../../core/errors.ts";
import { silentReceiver, type Wire } from "../../core/wire.ts";
import { ClientConnection } from "../http1/client-connection.ts";
import type { Attempt } from "./forward.ts";

/** Dials the endpoint of a try. The connection ends with the exchange, unless it is taken out of its scope. */
export async function connect(attempt: Attempt): Promise<{ connection: ClientConnection; wire: Wire }> {
  const { exchange, parts, endpoint } = attempt;
  let wire: Wire;
  try {
    const timeoutMs = exchange.route.timeouts.connectMs;
    wire = await parts.dial({ to: endpoint, receiver: silentReceiver, wheel: parts.wheel, timeoutMs });
  } catch (error) {
    endpoint.connectFailures++;
    throw error;
  }
  if (!exchange.scope.disposed) return { connection: new ClientConnection(wire, parts.wheel), wire };
  wire.destroy();
  throw new GatewayError("client_gone", "the client closed the connection");
}
