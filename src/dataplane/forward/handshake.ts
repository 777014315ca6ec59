import { GatewayError } from "../../core/errors.ts";
import type { Exchange, Reply } from "../../core/exchange.ts";
import type { HeaderList } from "../../core/headers.ts";
import type { StreamedRequest } from "../../core/shared-connection.ts";
import { authorityOf } from "../../core/snapshot.ts";
import { acceptFor, hasUpgradeOption, randomKey } from "../../core/websocket-handshake.ts";
import type { Wire } from "../../core/wire.ts";
import { ClientConnection } from "../http1/client-connection.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { connect, timeLeft } from "./connect.ts";
import type { Attempt } from "./forward.ts";
import { removeHopByHop } from "./hop-by-hop.ts";
import { asResponse, toReply } from "./request.ts";
import { askStreamed, type Streamed } from "./streamed.ts";
import { upstreamFields, upstreamHead } from "./upstream-head.ts";

/** Opens a WebSocket to the endpoint. An answer that opens none comes back as the HTTP answer it is. */
export async function openTunnel(attempt: Attempt): Promise<Reply> {
  if (!attempt.endpoint.speaksHttp2) return upgrade(attempt, await connect(attempt));
  const streamed = await askStreamed(attempt, () => connectRequest(attempt));
  if (streamed.kind === "answer") return toStreamedTunnel(attempt, streamed);
  const { wire } = streamed;
  if (wire === undefined) return upgrade(attempt, await connect(attempt));
  return upgrade(attempt, { connection: new ClientConnection(wire, attempt.parts.wheel), wire });
}

type Connected = { readonly connection: ClientConnection; readonly wire: Wire };

/** With a key of our own, and the 101 is checked (RFC 6455 §4.1). The wire is never used for anything else. */
async function upgrade(attempt: Attempt, { connection, wire }: Connected): Promise<Reply> {
  const { exchange, endpoint } = attempt;
  // No closure here: it would keep the whole exchange alive for as long as the session is open.
  exchange.scope.use(connection);
  const key = randomKey();
  const response = await connection.ask({
    method: "GET",
    head: upstreamHead(exchange, { kind: "handshake", key }, endpoint.address),
    framing: "none",
    body: undefined,
    isHandshake: true,
    timeoutMs: timeLeft(attempt),
  });
  if (response.parked === undefined) return toReply(response, "GET");
  const { head, parked } = response;
  const problem = switchProblem(head, key) ?? choiceProblem(exchange, head.headers);
  return toTunnel(attempt, { headers: head.headers, wire, held: connection, parked, problem });
}

/** RFC 8441 §5: there is no key, and Upgrade has its place in `:protocol`. */
function connectRequest(attempt: Attempt): StreamedRequest {
  const { exchange, endpoint } = attempt;
  return {
    method: "CONNECT",
    scheme: endpoint.isSecure ? "https" : "http",
    authority: exchange.headers.get("host") ?? authorityOf(endpoint.address),
    path: exchange.target,
    isHandshake: true,
    headers: upstreamFields(exchange, undefined),
    body: undefined,
    timeoutMs: timeLeft(attempt),
    onInterim: ignore,
  };
}

function toStreamedTunnel(attempt: Attempt, { answer, held }: Extract<Streamed, { kind: "answer" }>): Reply {
  const { session, headers } = answer;
  if (session === undefined) return toReply(asResponse(answer), "GET");
  const problem = choiceProblem(attempt.exchange, headers);
  return toTunnel(attempt, { ...session, headers, held, problem });
}

function ignore(): void {}

type Switched = {
  readonly headers: HeaderList;
  readonly wire: Wire;
  readonly held: Disposable;
  readonly parked: Extract<Reply, { kind: "tunnel" }>["parked"];
  readonly problem: string | undefined;
};

function toTunnel({ exchange, endpoint }: Attempt, { headers, wire, held, parked, problem }: Switched): Reply {
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
    held,
    parked,
    protocol,
    extensions,
    upstreamName: exchange.notes.upstream ?? "",
    endpoint: endpoint.address,
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
function switchProblem({ headers }: ResponseHead, key: string): string | undefined {
  if (headers.count("upgrade") !== 1 || headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return "the upstream's 101 does not upgrade to websocket";
  }
  if (!hasUpgradeOption(headers)) return "the upstream's 101 has no Connection: Upgrade";
  if (headers.count("sec-websocket-accept") !== 1 || headers.get("sec-websocket-accept") !== acceptFor(key)) {
    return "the upstream's Sec-WebSocket-Accept does not belong to the key it was sent";
  }
  return undefined;
}

/** What is wrong with what the upstream chose of what was offered. */
function choiceProblem(exchange: Exchange, headers: HeaderList): string | undefined {
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
