import { type ErrorCode, GatewayError } from "../../core/errors.ts";
import type { Exchange, Next, Reply } from "../../core/exchange.ts";
import { type RetrySettings, type RouteSettings, usualRetry } from "../../core/snapshot.ts";
import type { Wire } from "../../core/wire.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import type { ClientConnection } from "../http1/client-connection.ts";
import type { DialOptions, DialTarget } from "../net/dial.ts";
import type { Endpoint } from "../upstreams/endpoint.ts";
import type { Lease } from "../upstreams/lease.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { createTargetChoice } from "./choose-target.ts";
import { openTunnel } from "./handshake.ts";
import { sendRequest } from "./request.ts";
import { makeResumable, resumedField } from "./session-resumer.ts";

/** A connection to an endpoint of an upstream. */
export type ForwardDial = Pick<DialOptions, "receiver" | "wheel" | "timeoutMs"> & {
  readonly upstream: string;
  readonly to: DialTarget & { readonly isSecure: boolean };
  /** What is wanted of an endpoint that speaks TLS; `h2` also accepts HTTP/1.1. */
  readonly protocol: "http/1.1" | "h2";
};

/** What forwarding needs from the gateway. */
export type ForwardParts = {
  readonly wheel: TimerWheel;
  readonly dial: (options: ForwardDial) => Promise<Wire>;
  readonly upstream: (name: string) => Upstream<ClientConnection> | undefined;
  /** Hears of what must not happen on a connection that others share. */
  readonly onFault?: (error: unknown) => void;
};

/** One try: an endpoint that is lent for it. */
export type Attempt = {
  readonly exchange: Exchange;
  readonly parts: ForwardParts;
  readonly endpoint: Endpoint<ClientConnection>;
};

/** The innermost step of a route's way: lends an endpoint, dials it, sends the head, and brings back the answer. */
export function createForward({ to, split }: Pick<RouteSettings, "to" | "split">, parts: ForwardParts): Next {
  const choose = createTargetChoice(to, { split, upstream: parts.upstream });
  return (exchange) => forward(exchange, choose(exchange), parts);
}

async function forward(exchange: Exchange, name: string, parts: ForwardParts): Promise<Reply> {
  const upstream = parts.upstream(name);
  if (upstream === undefined) throw new GatewayError("upstream_empty", `there is no upstream ${name}`);
  exchange.notes.upstream = name;
  const retry = exchange.route.retry ?? usualRetry;
  const what = exchange.kind === "handshake" ? "sessions" : "requests";
  if (exchange.route.resume !== undefined && exchange.kind === "handshake") exchange.headers.deleteAll(unresumable);
  let tries: Tries | undefined;
  let lease = upstream.lease(what, retry.budget, exchange);
  for (;;) {
    const { endpoint } = lease;
    exchange.notes.endpoint = endpoint.address;
    exchange.notes.tries++;
    const startedAt = parts.wheel.clock();
    let next: Lease<ClientConnection> | undefined;
    try {
      const attempt = { exchange, parts, endpoint };
      let reply = exchange.kind === "handshake" ? await openTunnel(attempt) : await sendRequest(attempt);
      noteAnswer(endpoint, exchange.kind, reply);
      const tookMs = parts.wheel.clock() - startedAt;
      endpoint.answerMs += tookMs;
      endpoint.latency.answered(tookMs);
      if (isWorthAnother(exchange, reply, retry)) {
        tries ??= { exchange, upstream, retry, tried: new Set() };
        next = leaseOther(tries, endpoint);
      }
      if (next === undefined) {
        keepUntilEnd(exchange, lease);
        const { resume } = exchange.route;
        if (reply.kind === "tunnel" && resume !== undefined)
          reply = makeResumable(reply, { exchange, parts, upstream, settings: resume, lease });
        const cookie = upstream.cookieFor(endpoint, exchange);
        if (cookie !== undefined) reply.headers.add("Set-Cookie", cookie);
        return reply;
      }
      discard(reply);
      lease[Symbol.dispose]();
    } catch (error) {
      if (!exchange.scope.disposed)
        noteFailure(endpoint, { kind: exchange.kind, error, tookMs: parts.wheel.clock() - startedAt });
      lease[Symbol.dispose]();
      if (error instanceof GatewayError && error.canRetry) {
        tries ??= { exchange, upstream, retry, tried: new Set() };
        next = leaseOther(tries, endpoint);
      }
      if (next === undefined) throw error;
    }
    lease = next;
  }
}

/** Compression has a memory, which does not move; and what says that a session goes on is the gateway's to say. */
const unresumable: ReadonlySet<string> = new Set(["sec-websocket-extensions", resumedField.toLowerCase()]);

/** Where an exchange was tried so far, and how often it may be. */
type Tries = {
  readonly exchange: Exchange;
  readonly upstream: Upstream<ClientConnection>;
  readonly retry: RetrySettings;
  readonly tried: Set<Endpoint<ClientConnection>>;
};

/** Another endpoint than those tried, if it may still be tried on one. */
function leaseOther(
  { exchange, upstream, retry, tried }: Tries,
  failed: Endpoint<ClientConnection>,
): Lease<ClientConnection> | undefined {
  tried.add(failed);
  if (exchange.scope.disposed || tried.size >= retry.tries || retry.budget === 0) return undefined;
  return upstream.leaseOther(exchange.kind === "handshake" ? "sessions" : "requests", tried, exchange);
}

/** A handshake that was refused has had no effect, if the route says that these statuses mean so. */
function isWorthAnother({ kind }: Exchange, reply: Reply, { handshakes }: RetrySettings): boolean {
  return kind === "handshake" && reply.kind === "response" && handshakes.includes(reply.status);
}

function discard(reply: Reply): void {
  if (reply.kind === "response" && reply.body !== undefined && !(reply.body instanceof Uint8Array)) reply.body.cancel();
}

/** An answer of 500 to 599 is a failure of the endpoint, though the client gets it as it is. */
function noteAnswer(endpoint: Endpoint<ClientConnection>, kind: Exchange["kind"], reply: Reply): void {
  const step = kind === "handshake" ? "handshake" : "answer";
  if (kind === "handshake") endpoint.handshakes++;
  else endpoint.answers++;
  if (reply.kind === "response" && reply.status >= 500) endpoint.traffic.failed(step);
  else endpoint.traffic.succeeded(step);
}

type Failure = { readonly kind: Exchange["kind"]; readonly error: unknown; readonly tookMs: number };

/** Connects are noted where they are made; what the client or the gateway did says nothing of the endpoint. */
function noteFailure(endpoint: Endpoint<ClientConnection>, { kind, error, tookMs }: Failure): void {
  if (!(error instanceof GatewayError) || error.side !== "upstream") return;
  endpoint.latency.failed(tookMs);
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

/** The lease is given back when the exchange, or its session, ends. */
function keepUntilEnd(exchange: Exchange, lease: Disposable): void {
  if (exchange.scope.disposed) throw new GatewayError("client_gone", "the client closed the connection");
  exchange.scope.use(lease);
}
