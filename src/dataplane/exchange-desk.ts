import type { AccessRecord } from "../core/access-record.ts";
import { GatewayError } from "../core/errors.ts";
import type { Incoming, Next, OpenExchange, Outcome, TunnelReply } from "../core/exchange.ts";
import type { Parking } from "../core/parking.ts";
import { retryAtRandom } from "../core/retry-after.ts";
import type { SessionEnd } from "../core/session.ts";
import type { RouteSettings } from "../core/snapshot.ts";
import type { Wire } from "../core/wire.ts";
import { latin1 } from "../kit/latin1.ts";
import { OncePerSecond } from "../kit/once-per-second.ts";
import { randomText } from "../kit/random.ts";
import type { TimerWheel } from "../kit/timer-wheel.ts";
import { YoungGarbage } from "../kit/young-garbage.ts";
import type { Admission } from "./admission.ts";
import type { Drain } from "./drain.ts";
import type { DrainOrders } from "./drain-orders.ts";
import { type Figures, increment } from "./figures.ts";
import type { ListenerFacts, ListenerObserver } from "./listener.ts";
import { type ExchangeObserver, LiveExchange } from "./live-exchange.ts";
import {
  badRequestRecord,
  type ExchangeEnd,
  httpRecord,
  sessionCloseRecord,
  sessionOpenRecord,
  wasHandshake,
} from "./records.ts";
import { Session, type SessionIdentity, type SessionObserver } from "./relay/session.ts";
import type { SessionRegistry } from "./session-registry.ts";

/** What exchanges are answered with, and who hears of them. */
export type ExchangeDeskOptions = {
  readonly wheel: TimerWheel;
  readonly sessions: SessionRegistry;
  readonly figures: Figures;
  readonly drains: DrainOrders;
  readonly admission: Admission;
  readonly onRecord?: (record: AccessRecord) => void;
  /** Hears of invariants of ours that broke, for which one connection or session pays. */
  readonly onFault?: (error: unknown) => void;
  readonly onSessionOpen: (session: Session) => void;
  readonly onSessionEnd: (session: Session, end: SessionEnd, durationMs: number) => void;
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
  readonly #failures = new OncePerSecond();
  readonly #hosts = new TextCopies();
  readonly #targets = new TextCopies();
  readonly #protocols = new TextCopies();
  readonly #young = new YoungGarbage();

  constructor(options: ExchangeDeskOptions) {
    this.#options = options;
  }

  begin(arrival: Arrival): OpenExchange {
    const isLast = this.drain !== undefined || this.#options.drains.concern(arrival);
    const { incoming, listener, revision, route } = arrival;
    const now = this.#options.wheel.clock();
    const drained = isLast ? refuseDraining : undefined;
    const way = incoming.kind === "handshake" ? (drained ?? this.#admit(arrival, now)) : arrival.way;
    const exchange = new LiveExchange({ incoming, listener, revision, route, way, isLast, now, observer: this });
    this.running++;
    return exchange;
  }

  #admit({ listener, way }: Arrival, now: number): Next {
    if (this.#options.admission.admits(listener.name, listener.handshakesPerSecond, now)) return way;
    increment(this.#options.figures.refusedConnections, "handshakes_per_second");
    return refuseCrowd;
  }

  /** What listeners tell; `begin` finds the route. */
  listenerObserver(begin: ListenerObserver["begin"]): ListenerObserver {
    const { figures } = this.#options;
    return {
      begin,
      onAccepted: (listener) => increment(figures.acceptedConnections, listener),
      onFault: (error) => this.onFault(error),
      onRefusedConnection: (limit) => increment(figures.refusedConnections, limit),
      onHttp2Limit: (limit) => increment(figures.http2Limits, limit),
      onTlsHandshake: (how, refusal) => {
        increment(figures.tlsHandshakes, how);
        if (refusal === undefined) return;
        increment(figures.errors, refusal.error.code);
        const isNews = this.#isRecording && this.#failures.passes(refusal.peer.address, this.#options.wheel.clock());
        // Only a request in the clear gets an answer.
        const answered = how === "plain_http" ? {} : { status: 0 };
        if (isNews) this.#record(() => ({ ...badRequestRecord(refusal), ...answered }));
      },
      onBadRequest: (refusal) => {
        increment(figures.errors, refusal.error.code);
        this.#countRefusal(refusal.error);
        if (this.#isRecording) this.#record(() => badRequestRecord(refusal));
      },
    };
  }

  #countRefusal(error: GatewayError): void {
    const unrouted = this.#options.figures.of("");
    if (wasHandshake(error)) increment(unrouted.handshakes, error.status);
    else unrouted.countRequest(error.status, 0);
  }

  onExchangeEnd(exchange: LiveExchange, outcome: Outcome, error: GatewayError | undefined): void {
    this.running--;
    const { figures, wheel } = this.#options;
    const durationMs = wheel.clock() - exchange.startedAt;
    const route = figures.of(exchange.route.name);
    if (exchange.kind === "handshake") increment(route.handshakes, outcome.status);
    else route.countRequest(outcome.status, durationMs);
    if (error !== undefined) increment(figures.errors, error.code);
    if (this.#isRecording) this.#recordExchange(exchange, { outcome, durationMs, error });
  }

  onTunnel(exchange: LiveExchange, reply: TunnelReply, legs: { client: Wire; early: Parking }): void {
    this.running--;
    const { sessions, figures, wheel } = this.#options;
    increment(figures.of(exchange.route.name).handshakes, 101);
    const identity = this.#identify(exchange, reply);
    // For hours, it would only hold what the handshake needed.
    if (reply.held !== undefined) exchange.scope.release(reply.held);
    const session = new Session({
      identity,
      settings: exchange.route,
      client: legs.client,
      upstream: reply.upstream,
      scope: exchange.scope.move(),
      mayUseReservedBits: reply.extensions !== undefined,
      wheel,
      observer: this,
    });
    sessions.add(session);
    if (this.#isRecording) this.#recordOpen(session, exchange);
    reply.resumable?.attach(session.upstream.scanner, (endpoint) => this.#onMoved(session, endpoint));
    legs.client.receiver = session.client;
    reply.upstream.receiver = session.upstream;
    try {
      session.start();
      reply.parked.release(session.upstream);
      legs.early.release(session.client);
      this.drain?.add(session);
      this.#options.drains.add(session);
      this.#options.onSessionOpen(session);
    } catch (error) {
      session.onFault(error);
    }
    this.#young.grown(sessions.size);
  }

  /** A session goes on with another endpoint, whichever that is. */
  #onMoved(session: Session, endpoint: string): void {
    session.identity = { ...session.identity, endpoint };
    session.resumptions++;
    this.#options.drains.add(session);
  }

  /** A session that another process had goes on. */
  adopt(session: Session): void {
    try {
      session.thaw();
      this.drain?.add(session);
      this.#options.drains.add(session);
      this.#options.onSessionOpen(session);
    } catch (error) {
      session.onFault(error);
    }
  }

  onSessionEnd(session: Session, end: SessionEnd): void {
    const { sessions, figures } = this.#options;
    const { identity } = session;
    sessions.remove(session);
    const durationMs = session.ageMs;
    figures.of(identity.route).countClose(end, durationMs);
    this.#options.onSessionEnd(session, end, durationMs);
    if (this.#isRecording) this.#recordClose(session, end, durationMs);
  }

  onRoundTrip(side: "client" | "upstream", ms: number): void {
    this.#options.figures.roundTrips[side].observe(ms / 1000);
  }

  onFault(error: unknown): void {
    increment(this.#options.figures.errors, "internal");
    this.#options.onFault?.(error);
  }

  #identify(exchange: LiveExchange, reply: TunnelReply): SessionIdentity {
    const { client, peer } = exchange;
    return {
      id: randomText(8, "hex"),
      requestId: exchange.isFromTrustedProxy ? copyOf(exchange.id) : exchange.id,
      route: exchange.route.name,
      upstream: reply.upstreamName,
      endpoint: reply.endpoint,
      listener: exchange.listener,
      // The connection has it as well; another one stands in the head that it was found in.
      client: client === peer ? peer : { address: copyOf(client.address), port: client.port },
      host: this.#hosts.of(exchange.head.authority),
      target: this.#targets.of(exchange.head.target),
      protocol: reply.protocol === undefined ? undefined : this.#protocols.of(reply.protocol),
      openedAt: Date.now(),
      revision: exchange.revision,
    };
  }

  // Each in a function of its own, so that nothing is allocated for records that nobody reads.
  get #isRecording(): boolean {
    return this.wantsRecords && this.#options.onRecord !== undefined;
  }

  #recordExchange(exchange: LiveExchange, end: ExchangeEnd): void {
    this.#record(() => httpRecord(exchange, end));
  }

  #recordOpen(session: Session, exchange: LiveExchange): void {
    this.#record(() => sessionOpenRecord(session, exchange, this.#options.wheel.clock() - exchange.startedAt));
  }

  #recordClose(session: Session, end: SessionEnd, durationMs: number): void {
    this.#record(() => sessionCloseRecord(session, end, durationMs));
  }

  #record(make: () => AccessRecord): void {
    try {
      this.#options.onRecord?.(make());
    } catch (error) {
      this.onFault(error);
    }
  }
}

/** A copy, which keeps nothing alive of what a text was taken from or put together of. */
function copyOf(text: string): string {
  return latin1(text).toString("latin1");
}

/**
 * Copies of texts. Hosts and paths come again and again: the last
 * copy serves until another text comes, and sessions share it.
 */
class TextCopies {
  #last = "";

  of(text: string): string {
    if (text !== this.#last) this.#last = copyOf(text);
    return this.#last;
  }
}

/** Over how long those who were turned away come back (seconds). */
const crowdSeconds = 10;

const refuseDraining: Next = async () => {
  throw new GatewayError("draining", "no new sessions are taken here for now", {
    headers: retryAtRandom(crowdSeconds),
  });
};

const refuseCrowd: Next = async () => {
  throw new GatewayError("overloaded", "too many sessions begin at once", { headers: retryAtRandom(crowdSeconds) });
};
