import { type ErrorCode, GatewayError } from "../../core/errors.ts";
import type { Exchange, Next, Reply } from "../../core/exchange.ts";
import type { EndpointSettings, WeightedUpstream } from "../../core/snapshot.ts";
import type { Wire } from "../../core/wire.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import type { ClientConnection } from "../http1/client-connection.ts";
import type { DialOptions } from "../net/dial.ts";
import { RoundRobin } from "../upstreams/balancer.ts";
import type { Endpoint } from "../upstreams/endpoint.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { openTunnel } from "./handshake.ts";
import { sendRequest } from "./request.ts";

/** A connection to an endpoint of an upstream. */
export type ForwardDial = Pick<DialOptions, "receiver" | "wheel" | "timeoutMs"> & {
  readonly upstream: string;
  readonly to: Pick<EndpointSettings, "host" | "port"> & { readonly isSecure: boolean };
};

/** What forwarding needs from the gateway. */
export type ForwardParts = {
  readonly wheel: TimerWheel;
  readonly dial: (options: ForwardDial) => Promise<Wire>;
  readonly upstream: (name: string) => Upstream<ClientConnection> | undefined;
};

/** One try: an endpoint that is lent for it. */
export type Attempt = {
  readonly exchange: Exchange;
  readonly parts: ForwardParts;
  readonly endpoint: Endpoint<ClientConnection>;
};

/** How many endpoints an exchange is tried on at most. */
const maxTries = 3;

/** The innermost step of a route's way: lends an endpoint, dials it, sends the head, and brings back the answer. */
export function createForward(targets: readonly WeightedUpstream[], parts: ForwardParts): Next {
  const choose = createChoice(targets);
  return (exchange) => forward(exchange, choose(), parts);
}

async function forward(exchange: Exchange, name: string, parts: ForwardParts): Promise<Reply> {
  const upstream = parts.upstream(name);
  if (upstream === undefined) throw new GatewayError("upstream_empty", `there is no upstream ${name}`);
  exchange.notes.upstream = name;
  let tried: ReadonlySet<Endpoint<ClientConnection>> = none;
  for (;;) {
    const lease = upstream.lease(exchange.kind === "handshake" ? "sessions" : "requests", tried);
    const { endpoint } = lease;
    exchange.notes.endpoint = endpoint.address;
    exchange.notes.tries++;
    try {
      const attempt = { exchange, parts, endpoint };
      const reply = exchange.kind === "handshake" ? await openTunnel(attempt) : await sendRequest(attempt);
      noteAnswer(endpoint, exchange.kind, reply);
      keepUntilEnd(exchange, lease);
      return reply;
    } catch (error) {
      if (!exchange.scope.disposed) noteFailure(endpoint, exchange.kind, error);
      lease[Symbol.dispose]();
      tried = new Set([...tried, endpoint]);
      if (!(error instanceof GatewayError) || !error.canRetry || tried.size >= maxTries) throw error;
      if (exchange.scope.disposed || !upstream.hasOther(tried)) throw error;
    }
  }
}

/** An answer of 500 to 599 is a failure of the endpoint, though the client gets it as it is. */
function noteAnswer(endpoint: Endpoint<ClientConnection>, kind: Exchange["kind"], reply: Reply): void {
  const step = kind === "handshake" ? "handshake" : "answer";
  if (kind === "handshake") endpoint.handshakes++;
  else endpoint.answers++;
  if (reply.kind === "response" && reply.status >= 500) endpoint.traffic.failed(step);
  else endpoint.traffic.succeeded(step);
}

/** Connects are noted where they are made; what the client or the gateway did says nothing of the endpoint. */
function noteFailure(endpoint: Endpoint<ClientConnection>, kind: Exchange["kind"], error: unknown): void {
  if (!(error instanceof GatewayError) || error.side !== "upstream") return;
  if (connectCodes.has(error.code)) return;
  endpoint.traffic.failed(kind === "handshake" ? "handshake" : "answer");
}

/** What only connecting can come to. */
const connectCodes: ReadonlySet<ErrorCode> = new Set([
  "upstream_refused",
  "upstream_connect_timeout",
  "upstream_tls",
  "upstream_certificate",
]);

const none: ReadonlySet<Endpoint<ClientConnection>> = new Set();

/** The lease is given back when the exchange, or its session, ends. */
function keepUntilEnd(exchange: Exchange, lease: Disposable): void {
  if (exchange.scope.disposed) throw new GatewayError("client_gone", "the client closed the connection");
  exchange.scope.use(lease);
}

/** Chooses among a route's upstreams by weight. */
function createChoice(targets: readonly WeightedUpstream[]): () => string {
  const candidates = targets
    .filter(({ weight }) => weight > 0)
    .map(({ upstream, weight }) => ({ upstream, weight, load: 0 }));
  const [only] = candidates;
  if (only === undefined) {
    return () => {
      throw new GatewayError("upstream_empty", "the route sends nothing anywhere: all weights are 0");
    };
  }
  if (candidates.length === 1) return () => only.upstream;
  const turns = new RoundRobin();
  return () => turns.pick(candidates).upstream;
}
