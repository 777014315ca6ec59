import { randomBytes } from "node:crypto";
import type { AccessRecord, AccessSubject } from "../core/access-record.ts";
import { GatewayError } from "../core/errors.ts";
import type { Incoming, Next, OpenExchange, Outcome, TunnelReply } from "../core/exchange.ts";
import { HeaderList } from "../core/headers.ts";
import type { Parking } from "../core/parking.ts";
import type { SessionEnd } from "../core/session.ts";
import type { RouteSettings } from "../core/snapshot.ts";
import type { Wire } from "../core/wire.ts";
import type { TimerWheel } from "../kit/timer-wheel.ts";
import type { Drain } from "./drain.ts";
import { type Figures, increment } from "./figures.ts";
import type { ListenerFacts, ListenerObserver } from "./listener.ts";
import { type ExchangeObserver, LiveExchange } from "./live-exchange.ts";
import { Session, type SessionIdentity, type SessionObserver, trafficOf } from "./relay/session.ts";
import { formatPeer } from "./request-identity.ts";
import type { SessionRegistry } from "./session-registry.ts";

export type ExchangeDeskOptions = {
  readonly wheel: TimerWheel;
  readonly sessions: SessionRegistry;
  readonly figures: Figures;
  readonly onRecord?: (record: AccessRecord) => void;
  /** Hears of invariants of ours that broke, for which one connection or session pays. */
  readonly onFault?: (error: unknown) => void;
};

/** An exchange that begins, with the route it takes. */
export type Arrival = {
  readonly incoming: Incoming;
  readonly listener: ListenerFacts;
  readonly revision: number;
  readonly route: RouteSettings;
  readonly way: Next;
};

/** Where exchanges begin, become sessions, and end; and where all of that is counted and recorded. */
export class ExchangeDesk implements ExchangeObserver, SessionObserver {
  /** Set once no new session may open; those that open all the same get their Close with the others. */
  drain: Drain | undefined;
  /** False if nobody reads access records: then none are made. */
  wantsRecords = true;
  /** Exchanges under way; sessions do not count. */
  running = 0;
  readonly #options: ExchangeDeskOptions;

  constructor(options: ExchangeDeskOptions) {
    this.#options = options;
  }

  begin(arrival: Arrival): OpenExchange {
    const isRefused = this.drain !== undefined && arrival.incoming.kind === "handshake";
    const way = isRefused ? refuseDraining : arrival.way;
    const exchange = new LiveExchange({ ...arrival, way, now: this.#options.wheel.clock(), observer: this });
    this.running++;
    return exchange;
  }

  /** What listeners tell; `begin` finds the route. */
  listenerObserver(begin: ListenerObserver["begin"]): ListenerObserver {
    const { figures } = this.#options;
    return {
      begin,
      onAccepted: (listener) => increment(figures.acceptedConnections, listener),
      onFault: (error) => this.onFault(error),
      onRefusedConnection: (limit) => increment(figures.refusedConnections, limit),
      onBadRequest: ({ error, peer, listener, requestId }) => {
        increment(figures.errors, error.code);
        figures.of("").countRequest(error.status, 0);
        this.#record(() => ({
          kind: "http",
          at: Date.now(),
          requestId,
          listener,
          client: formatPeer(peer),
          host: "",
          method: "",
          target: "",
          isHandshake: error.code === "bad_handshake" || error.code === "upgrade_required",
          status: error.status,
          durationMs: 0,
          bytesIn: 0,
          bytesOut: 0,
          tries: 0,
          error: error.code,
          cause: error.message,
        }));
      },
    };
  }

  onExchangeEnd(exchange: LiveExchange, outcome: Outcome, error: GatewayError | undefined): void {
    this.running--;
    const { figures, wheel } = this.#options;
    const durationMs = wheel.clock() - exchange.startedAt;
    const route = figures.of(exchange.route.name);
    if (exchange.kind === "handshake") increment(route.handshakes, outcome.status);
    else route.countRequest(outcome.status, durationMs);
    if (error !== undefined) increment(figures.errors, error.code);
    this.#record(() => ({
      kind: "http",
      at: Date.now(),
      ...exchange.describe(),
      isHandshake: exchange.kind === "handshake",
      status: outcome.status,
      durationMs,
      bytesIn: outcome.bytesIn,
      bytesOut: outcome.bytesOut,
      tries: exchange.notes.tries,
      ...(error === undefined ? {} : { error: error.code, cause: causeOf(error) }),
      ...(exchange.notes.report === undefined ? {} : { report: exchange.notes.report }),
    }));
  }

  onTunnel(exchange: LiveExchange, reply: TunnelReply, legs: { client: Wire; early: Parking }): void {
    this.running--;
    const { sessions, figures, wheel } = this.#options;
    increment(figures.of(exchange.route.name).handshakes, 101);
    const session = new Session({
      identity: identify(exchange, reply),
      settings: exchange.route,
      client: legs.client,
      upstream: reply.upstream,
      scope: exchange.scope,
      mayUseReservedBits: reply.extensions !== undefined,
      wheel,
      observer: this,
    });
    sessions.add(session);
    this.#recordOpen(session, exchange);
    legs.client.receiver = session.client;
    reply.upstream.receiver = session.upstream;
    try {
      session.start();
      reply.parked.release(session.upstream);
      legs.early.release(session.client);
      this.drain?.add(session);
    } catch (error) {
      session.onFault(error);
    }
  }

  onSessionEnd(session: Session, end: SessionEnd): void {
    const { sessions, figures } = this.#options;
    const { identity } = session;
    sessions.remove(session);
    const durationMs = Date.now() - identity.openedAt;
    figures.of(identity.route).countClose(end, durationMs);
    this.#record(() => ({
      kind: "session-close",
      at: Date.now(),
      ...subjectOf(identity),
      durationMs,
      end,
      fromClient: trafficOf(session.client),
      fromUpstream: trafficOf(session.upstream),
    }));
  }

  onRoundTrip(side: "client" | "upstream", ms: number): void {
    this.#options.figures.roundTrips[side].observe(ms / 1000);
  }

  onFault(error: unknown): void {
    increment(this.#options.figures.errors, "internal");
    this.#options.onFault?.(error);
  }

  #recordOpen(session: Session, exchange: LiveExchange): void {
    const { identity } = session;
    this.#record(() => ({
      kind: "session-open",
      at: identity.openedAt,
      ...subjectOf(identity),
      handshakeMs: this.#options.wheel.clock() - exchange.startedAt,
      tries: exchange.notes.tries,
      ...(exchange.notes.report === undefined ? {} : { report: exchange.notes.report }),
    }));
  }

  #record(make: () => AccessRecord): void {
    const { onRecord } = this.#options;
    if (onRecord === undefined || !this.wantsRecords) return;
    try {
      onRecord(make());
    } catch (error) {
      this.onFault(error);
    }
  }
}

/** What the records of a session say of it. */
function subjectOf(
  identity: SessionIdentity,
): AccessSubject & { readonly session: string; readonly protocol?: string } {
  const { id, requestId, listener, client, host, target, route, upstream, endpoint, protocol } = identity;
  const subject = { session: id, requestId, listener, client, host, method: "GET", target, route, upstream, endpoint };
  return protocol === undefined ? subject : { ...subject, protocol };
}

/** A copy that does not keep the whole head alive, of which the text is a part. */
function copyText(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

function identify(exchange: LiveExchange, reply: TunnelReply): SessionIdentity {
  return {
    id: randomBytes(8).toString("hex"),
    requestId: exchange.id,
    route: exchange.route.name,
    upstream: reply.upstreamName,
    endpoint: reply.endpoint,
    listener: exchange.listener,
    client: formatPeer(exchange.client),
    host: copyText(exchange.head.authority),
    target: copyText(exchange.head.target),
    protocol: reply.protocol,
    openedAt: Date.now(),
    revision: exchange.revision,
  };
}

const refuseDraining: Next = async () => {
  const headers = HeaderList.from([["Retry-After", String(1 + Math.floor(Math.random() * 10))]]);
  throw new GatewayError("draining", "the gateway is shutting down", { headers });
};

/** The whole chain of causes, for the operator. */
function causeOf(error: GatewayError): string {
  const says = [error.message];
  for (let { cause } = error; cause instanceof Error; cause = cause.cause) says.push(cause.message);
  return says.join(": ");
}
