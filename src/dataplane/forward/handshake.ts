import { GatewayError } from "../../core/errors.ts";
import type { Exchange, Reply } from "../../core/exchange.ts";
import { acceptFor, hasUpgradeOption, randomKey } from "../../core/websocket-handshake.ts";
import type { Wire } from "../../core/wire.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { connect, timeLeft } from "./connect.ts";
import type { Attempt } from "./forward.ts";
import { removeHopByHop } from "./hop-by-hop.ts";
import { toReply } from "./request.ts";
import { upstreamHead } from "./upstream-head.ts";

/**
 * Opens a WebSocket to the endpoint with a key of our own, and checks the 101 (RFC 6455 §4.1). Any other answer comes back as the
 * HTTP answer it is. The wire is never used for anything else.
 */
export async function openTunnel(attempt: Attempt): Promise<Reply> {
  const { exchange, endpoint } = attempt;
  const { connection, wire } = await connect(attempt);
  // No closure here: it would keep the whole exchange alive for as long as the session is open.
  exchange.scope.use(connection);
  const key = randomKey();
  const response = await connection.request({
    method: "GET",
    head: upstreamHead(exchange, { kind: "handshake", key }, endpoint.address),
    framing: "none",
    body: undefined,
    isHandshake: true,
    timeoutMs: timeLeft(attempt),
    onInterim: ignore,
  });
  if (response.parked === undefined) return toReply(response, "GET");
  return toTunnel({
    exchange,
    head: response.head,
    wire,
    held: connection,
    parked: response.parked,
    key,
    endpoint: endpoint.address,
  });
}

function ignore(): void {}

type Switched = {
  readonly exchange: Exchange;
  readonly head: ResponseHead;
  readonly wire: Wire;
  readonly held: Disposable;
  readonly parked: Extract<Reply, { kind: "tunnel" }>["parked"];
  readonly key: string;
  readonly endpoint: string;
};

function toTunnel(switched: Switched): Reply {
  const { exchange, head, wire } = switched;
  const { headers } = head;
  const problem = switchProblem(switched);
  if (problem !== undefined || exchange.scope.disposed) {
    wire.destroy();
    throw new GatewayError("upstream_bad_handshake", problem ?? "the client closed the connection");
  }
  const protocol = headers.get("sec-websocket-protocol");
  const extensions = headers.has("sec-websocket-extensions")
    ? headers.all("sec-websocket-extensions").join(", ")
    : undefined;
  removeHopByHop(headers);
  headers.deleteAll(handshakeFields);
  return {
    kind: "tunnel",
    headers,
    upstream: wire,
    held: switched.held,
    parked: switched.parked,
    protocol,
    extensions,
    upstreamName: exchange.notes.upstream ?? "",
    endpoint: switched.endpoint,
  };
}

/** Fields of a 101 that are the handshake's own or mean nothing to the client behind a gateway. */
const handshakeFields: ReadonlySet<string> = new Set([
  "sec-websocket-accept",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
  "sec-websocket-version",
  "content-length",
  "alt-svc",
]);

/** What is wrong with a 101, if anything is. */
function switchProblem({ exchange, head, key }: Switched): string | undefined {
  const { headers } = head;
  if (headers.count("upgrade") !== 1 || headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return "the upstream's 101 does not upgrade to websocket";
  }
  if (!hasUpgradeOption(headers)) return "the upstream's 101 has no Connection: Upgrade";
  if (headers.count("sec-websocket-accept") !== 1 || headers.get("sec-websocket-accept") !== acceptFor(key)) {
    return "the upstream's Sec-WebSocket-Accept does not belong to the key it was sent";
  }
  if (headers.has("sec-websocket-protocol") && !isOffered(exchange, headers.all("sec-websocket-protocol")))
    return "the upstream chose a subprotocol that was not offered";
  if (headers.has("sec-websocket-extensions") && !exchange.headers.has("sec-websocket-extensions")) {
    return "the upstream chose an extension though none was offered";
  }
  return undefined;
}

function isOffered(exchange: Exchange, chosen: readonly string[]): boolean {
  const [protocol] = chosen;
  if (chosen.length > 1 || protocol === undefined || protocol === "") return false;
  const offers = exchange.headers.all("sec-websocket-protocol");
  return offers.some((value) => value.split(",").some((offer) => offer.trim() === protocol));
}
