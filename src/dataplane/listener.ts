import { randomUUID } from "node:crypto";
import { GatewayError } from "../core/errors.ts";
import type { ExchangeHost, Incoming, OpenExchange, ResponseReply } from "../core/exchange.ts";
import type { ListenerStatus } from "../core/figures.ts";
import type { ConnectionState, ListenerState } from "../core/handover.ts";
import { retryAtRandom } from "../core/retry-after.ts";
import type { ListenerSettings } from "../core/snapshot.ts";
import type { PeerAddress, Receiver, Wire } from "../core/wire.ts";
import { IpRanges } from "../kit/ip-range.ts";
import type { TimerWheel } from "../kit/timer-wheel.ts";
import { canShareBinding } from "./certificate-tables.ts";
import { errorReply } from "./error-reply.ts";
import { handshakeError, plainAnswer } from "./handshake-failures.ts";
import { ServerConnection, type ServerOwner } from "./http1/server-connection.ts";
import { Http2Connection } from "./http2/server-connection.ts";
import type { ListenerCounts, ListenerLimit } from "./listener-counts.ts";
import type { CertificateTable } from "./net/certificate-table.ts";
import type { Descriptors } from "./net/descriptors.ts";
import { PortListener, type SecureListening } from "./net/listen.ts";
import type { ProxyHall } from "./net/proxied-arrival.ts";
import type { ChallengesShown, HandshakeFailure } from "./net/secure-arrival.ts";
import { PriorKnowledge } from "./prior-knowledge.ts";
import type { BadRequest } from "./records.ts";

/** What exchanges have to know of their listener. */
export type ListenerFacts = {
  readonly name: string;
  /** 0 is any number. */
  readonly handshakesPerSecond: number;
  readonly isSecure: boolean;
  readonly trusted: IpRanges;
  /** Those who say first for whom they speak. */
  readonly proxies?: IpRanges | undefined;
  /** The port to which everything is sent that does not come over TLS. */
  readonly httpsPort?: number | undefined;
  /** True if a host has other certificates than the name that the connection was opened for. */
  readonly isMisdirected?: (serverName: string, host: string) => boolean;
};

/** What a listener tells the gateway. */
export interface ListenerObserver {
  begin(incoming: Incoming, listener: ListenerFacts): OpenExchange;
  onRefusedConnection(limit: string): void;
  /** A client has exceeded a limit of HTTP/2. */
  onHttp2Limit(limit: string): void;
  /** An invariant of ours is broken, which cost one connection only. */
  onFault(error: unknown): void;
  onAccepted(listener: string): void;
  onBadRequest(refusal: BadRequest): void;
  /** How a TLS handshake ended; `refusal` says why nothing came of it, if it was not the client who went away. */
  onTlsHandshake(how: "done" | HandshakeFailure["kind"], refusal: BadRequest | undefined): void;
}

/** What a listener is bound with, and who hears of its connections. */
export type ListenerOptions = {
  readonly settings: ListenerSettings;
  /** Given if the listener speaks TLS. */
  readonly certificates: CertificateTable | undefined;
  readonly challenges: ChallengesShown;
  readonly wheel: TimerWheel;
  readonly descriptors: Descriptors;
  readonly counts: ListenerCounts;
  readonly observer: ListenerObserver;
  /** Given if another process has bound the port. */
  readonly descriptor?: number | undefined;
};

/** A bound port, its connections, and the limits on them. */
export class Listener implements ExchangeHost, ServerOwner {
  readonly #options: ListenerOptions;
  readonly #port: PortListener;
  readonly #connections = new Set<ServerConnection>();
  readonly #multiplexed = new Set<Http2Connection>();
  readonly #counts: ListenerCounts;
  #settings: ListenerSettings;
  #certificates: CertificateTable | undefined;
  #facts: ListenerFacts;
  #isRetiring = false;

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#certificates = options.certificates;
    this.#facts = factsOf(options.settings, options.certificates);
    this.#counts = options.counts;
    const { certificates } = options;
    this.#port = PortListener.open({
      host: options.settings.host,
      port: options.settings.port,
      onConnection: (wire, isProxied) => this.#accept(wire, isProxied),
      proxies: this.#proxied(),
      keeper: { onGone: () => this.#gone(), onFault: (error) => this.onFault(error) },
      ...(certificates === undefined ? {} : { secure: this.#secure(certificates) }),
      descriptor: options.descriptor,
    });
  }

  /** Binds the address. Throws if that fails. */
  static open(options: ListenerOptions): Listener {
    return new Listener(options);
  }

  get status(): ListenerStatus {
    return {
      name: this.#settings.name,
      host: this.#settings.host,
      port: this.#port.port,
      connections: this.#counts.open,
    };
  }

  /** Connections without a complete head, and handshakes without an answer. */
  get pending(): number {
    return this.#counts.pending;
  }

  /** True if new settings can be taken over without binding anew. */
  canTakeOver(settings: ListenerSettings): boolean {
    const { host, port, tls } = this.#settings;
    const isSameAddress = settings.host === host && (settings.port === port || settings.port === this.#port.port);
    return isSameAddress && canShareBinding(settings.tls, tls);
  }

  /** New connections get the new settings; those that are open keep theirs. */
  update(settings: ListenerSettings, certificates: CertificateTable | undefined): void {
    this.#settings = settings;
    this.#certificates = certificates;
    this.#facts = factsOf(settings, certificates);
    this.#port.renew();
  }

  /** What another process needs to accept in its place. */
  get state(): { readonly state: ListenerState; readonly descriptor: number } {
    const { name, host } = this.#settings;
    return { state: { name, host, port: this.#port.port }, descriptor: this.#port.descriptor };
  }

  /** HTTP/1.1 connections without a session, but those of which it is not known yet what they speak. */
  get waiting(): readonly ServerConnection[] {
    return [...this.#connections].filter(
      ({ wire: { receiver } }) => !(receiver instanceof PriorKnowledge && receiver.hasBegun),
    );
  }

  /** What cannot go to another process ends as soon as nothing is under way on it. */
  retireFixed(): void {
    for (const connection of this.#connections) if (connection.wire.movable === undefined) connection.retire();
    for (const connection of this.#multiplexed) connection.retire();
  }

  /** Somebody else accepts from now on; what is open goes on. */
  stopAccepting(): void {
    this.#port.close();
  }

  /** Counts a wire that another process has accepted, until it is gone. */
  adopted(): { onGone(): void } {
    this.#counts.countOpen(1);
    return { onGone: () => this.#counts.countOpen(-1) };
  }

  /** A connection that another process had goes on. */
  adopt(wire: Wire, state: ConnectionState): void {
    const connection = this.#connect(wire);
    this.#connections.add(connection);
    const { http2 } = this.#settings;
    const mayBeHttp2 = state.isNew && http2 !== undefined;
    connection.thaw({ state, receiver: mayBeHttp2 ? this.#awaitPreface(wire, connection, http2) : connection });
    if (this.#isRetiring) connection.retire();
  }

  /** No new connections; those without a session end when they are idle. */
  close(): void {
    this.#port.close();
    this.retire();
  }

  /** From now on every answer ends its connection, and idle ones end at once. */
  retire(): void {
    this.#isRetiring = true;
    for (const connection of this.#connections) connection.retire();
    for (const connection of this.#multiplexed) connection.retire();
  }

  /** Takes back `retire`: new connections stay open again after an answer. */
  unretire(): void {
    this.#isRetiring = false;
  }

  begin(incoming: Incoming): OpenExchange {
    return this.#options.observer.begin(incoming, this.#facts);
  }

  refuse(error: GatewayError, peer: PeerAddress): ResponseReply {
    const requestId = randomUUID();
    this.#options.observer.onBadRequest({ error, peer, listener: this.#settings.name, requestId });
    return errorReply(error, { requestId, accept: "" });
  }

  onFault(error: unknown): void {
    this.#options.observer.onFault(error);
  }

  onPending({ wire }: ServerConnection, isPending: boolean): void {
    this.#counts.countPending(wire.peer.address, isPending ? 1 : -1);
  }

  onOver(connection: ServerConnection): void {
    this.#connections.delete(connection);
  }

  #secure(bound: CertificateTable): SecureListening {
    return {
      wheel: this.#options.wheel,
      table: () => this.#certificates ?? bound,
      challenges: this.#options.challenges,
      onArrival: ({ address }, isProxied) => this.#admit(address, { isProxied }),
      onFailed: (peer, failure) => this.#handshakeFailed(peer, failure),
      onGone: () => this.#gone(),
    };
  }

  /** TLS costs much, so that those beyond a limit are sent away before it, and without a word. */
  #admit(address: string, { isProxied }: { readonly isProxied: boolean }): boolean {
    if (isProxied) this.#counts.countPending(unknownAddress, -1);
    else this.#arrived();
    const problem = this.#limitProblem(address);
    if (problem !== undefined) {
      this.#gone();
      this.#options.observer.onRefusedConnection(problem.limit);
      return false;
    }
    this.#counts.countPending(address, 1);
    return true;
  }

  #handshakeFailed(peer: PeerAddress, failure: HandshakeFailure): Uint8Array | undefined {
    const { observer } = this.#options;
    const { kind } = failure;
    this.#counts.countPending(peer.address, -1);
    if (kind === "closed" || kind === "challenge") {
      observer.onTlsHandshake(kind, undefined);
      return undefined;
    }
    const error = handshakeError(failure);
    const requestId = randomUUID();
    observer.onTlsHandshake(kind, { error, peer, listener: this.#settings.name, requestId });
    return kind === "plain_http" ? plainAnswer(error, requestId) : undefined;
  }

  #secured(address: string): void {
    this.#counts.countPending(address, -1);
    this.#options.observer.onTlsHandshake("done", undefined);
  }

  #arrived(): void {
    this.#counts.countOpen(1);
    this.#options.descriptors.opened();
    this.#options.observer.onAccepted(this.#settings.name);
  }

  #proxied(): ProxyHall {
    return {
      wheel: this.#options.wheel,
      isProxy: (address) => this.#facts.proxies?.contains(address) === true,
      timeoutMs: () => this.#settings.timeouts.headMs,
      onArrival: () => {
        this.#arrived();
        this.#counts.countPending(unknownAddress, 1);
      },
      onNothing: () => {
        this.#counts.countPending(unknownAddress, -1);
        this.#options.observer.onRefusedConnection("proxy_protocol");
      },
      onGone: () => this.#gone(),
    };
  }

  #accept(wire: Wire, isProxied: boolean): Receiver {
    const { address } = wire.peer;
    const isSecure = wire.security !== undefined;
    if (isSecure) this.#secured(address);
    else if (isProxied) this.#counts.countPending(unknownAddress, -1);
    else this.#arrived();
    const { http2 } = this.#settings;
    const isHttp2 = http2 !== undefined && wire.security?.protocol === "h2";
    const connection = isHttp2 ? this.#multiplex(wire, http2) : this.#connect(wire);
    // Behind TLS it has been admitted already.
    const problem = isSecure ? undefined : this.#limitProblem(address);
    if (problem === undefined) {
      this.#keep(connection);
      connection.start();
      if (this.#isRetiring) connection.retire();
      if (!isSecure && http2 !== undefined && connection instanceof ServerConnection)
        return this.#awaitPreface(wire, connection, http2);
    } else {
      this.#options.observer.onRefusedConnection(problem.limit);
      connection.refuse(problem.error);
      // No time to wait until the client has read its answer.
      if (this.#options.descriptors.isScarce) wire.destroy();
    }
    return connection;
  }

  #keep(connection: ServerConnection | Http2Connection): void {
    if (connection instanceof ServerConnection) this.#connections.add(connection);
    else this.#multiplexed.add(connection);
  }

  #multiplex(wire: Wire, http2: NonNullable<ListenerSettings["http2"]>): Http2Connection {
    return new Http2Connection({
      wire,
      host: this,
      wheel: this.#options.wheel,
      settings: { ...this.#settings, http2 },
      onPending: (isPending) => this.#counts.countPending(wire.peer.address, isPending ? 1 : -1),
      onLimit: (limit) => this.#options.observer.onHttp2Limit(limit),
      onOver: (over) => this.#multiplexed.delete(over),
    });
  }

  /** HTTP/1.1, until the first bytes say that it is HTTP/2. */
  #awaitPreface(wire: Wire, http1: ServerConnection, http2: NonNullable<ListenerSettings["http2"]>): Receiver {
    return new PriorKnowledge(wire, http1, () => {
      http1.yield();
      const connection = this.#multiplex(wire, http2);
      this.#multiplexed.add(connection);
      connection.start();
      if (this.#isRetiring) connection.retire();
      return connection;
    });
  }

  #connect(wire: Wire): ServerConnection {
    const { wheel } = this.#options;
    return new ServerConnection({ wire, host: this, wheel, settings: this.#settings, owner: this });
  }

  #limitProblem(address: string): { readonly limit: string; readonly error: GatewayError } | undefined {
    if (this.#options.descriptors.isLow)
      return { limit: "descriptors", error: busy("the gateway has no file descriptors left") };
    const limit = this.#counts.exceeded(this.#settings.limits, address);
    return limit === undefined ? undefined : { limit, error: limitError(limit) };
  }

  #gone(): void {
    this.#counts.countOpen(-1);
    this.#options.descriptors.closed();
  }
}

/** Behind a proxy that has not said yet for whom it speaks. */
const unknownAddress = "";

function factsOf(settings: ListenerSettings, certificates: CertificateTable | undefined): ListenerFacts {
  const facts = {
    name: settings.name,
    isSecure: settings.tls !== undefined,
    trusted: IpRanges.parse(settings.trustedProxies),
    handshakesPerSecond: settings.limits.handshakesPerSecond ?? 0,
    httpsPort: settings.httpsPort,
    proxies: settings.proxyProtocol === undefined ? undefined : IpRanges.parse(settings.proxyProtocol),
  };
  if (certificates === undefined) return facts;
  return { ...facts, isMisdirected: (serverName, host) => certificates.isMisdirected(serverName, host) };
}

function limitError(limit: ListenerLimit): GatewayError {
  switch (limit) {
    case "connections":
      return busy("the gateway has too many connections");
    case "pending":
      return busy("too many handshakes are under way");
    case "pending_per_address": {
      const says = "too many handshakes are under way from this address";
      return new GatewayError("too_many_requests", says, { headers: retryAtRandom(5) });
    }
  }
}

function busy(says: string): GatewayError {
  return new GatewayError("overloaded", says, { headers: retryAtRandom(5) });
}
