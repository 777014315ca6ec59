import type { AccessSubject } from "../core/access-record.ts";
import { asGatewayError, type GatewayError } from "../core/errors.ts";
import type {
  Exchange,
  ExchangeNotes,
  Incoming,
  Next,
  OpenExchange,
  Outcome,
  Reply,
  ReplySink,
  RequestHead,
  ResponseReply,
  TunnelReply,
} from "../core/exchange.ts";
import { findClient } from "../core/forwarded-for.ts";
import type { HeaderList } from "../core/headers.ts";
import type { Parking } from "../core/parking.ts";
import { formatPeer } from "../core/peer-text.ts";
import type { RouteSettings } from "../core/snapshot.ts";
import type { PeerAddress, Wire, WireSecurity } from "../core/wire.ts";
import { Scope } from "../kit/scope.ts";
import { errorReply } from "./error-reply.ts";
import { removeForwardedClaims } from "./forward/forwarded-claims.ts";
import { removeHopByHop } from "./forward/hop-by-hop.ts";
import { countHop } from "./forward/max-forwards.ts";
import type { ListenerFacts } from "./listener.ts";
import { requestId } from "./request-identity.ts";

/** What an exchange tells the gateway. */
export interface ExchangeObserver {
  /** It has ended without a session; `error` is what the client was told, if the gateway made the answer. */
  onExchangeEnd(exchange: LiveExchange, outcome: Outcome, error: GatewayError | undefined): void;
  /** Its session begins; the scope goes with it. */
  onTunnel(exchange: LiveExchange, reply: TunnelReply, legs: { client: Wire; early: Parking }): void;
}

/** What an exchange came with, and what it belongs to. */
export type LiveExchangeOptions = {
  readonly incoming: Incoming;
  readonly listener: ListenerFacts;
  readonly route: RouteSettings;
  readonly way: Next;
  /** True if its connection shall end with the answer. */
  readonly isLast: boolean;
  /** The snapshot that holds the route. */
  readonly revision: number;
  /** Milliseconds of the monotonic clock. */
  readonly now: number;
  readonly observer: ExchangeObserver;
};

/** One request or handshake on its way through the gateway. */
export class LiveExchange implements Exchange, OpenExchange {
  readonly id: string;
  readonly kind: Exchange["kind"];
  readonly head: RequestHead;
  target: string;
  readonly headers: HeaderList;
  readonly listener: string;
  readonly isSecure: boolean;
  readonly security: WireSecurity | undefined;
  readonly peer: PeerAddress;
  readonly client: PeerAddress;
  readonly isFromTrustedProxy: boolean;
  readonly route: RouteSettings;
  readonly body: Exchange["body"];
  readonly scope = new Scope();
  readonly startedAt: number;
  readonly isLast: boolean;
  readonly notes: ExchangeNotes = { tries: 0 };
  readonly revision: number;
  readonly #observer: ExchangeObserver;
  readonly #sink: ReplySink;
  #abort: AbortController | undefined;
  #error: GatewayError | undefined;
  #isAborted = false;

  constructor(options: LiveExchangeOptions) {
    const { incoming, listener } = options;
    const { head, peer } = incoming;
    const isTrusted = listener.trusted.contains(peer.address);
    this.kind = incoming.kind;
    this.head = head;
    this.target = head.target;
    this.headers = head.headers.clone();
    removeHopByHop(this.headers);
    countHop(head.method, this.headers);
    if (!isTrusted) removeForwardedClaims(this.headers);
    this.listener = listener.name;
    this.isSecure = listener.isSecure;
    this.security = incoming.security;
    this.peer = peer;
    this.isFromTrustedProxy = isTrusted;
    this.client = isTrusted ? findClient(peer, head.headers, listener.trusted) : peer;
    this.id = requestId(head.headers, isTrusted);
    this.route = options.route;
    this.body = incoming.body;
    this.startedAt = options.now;
    this.#sink = incoming.sink;
    this.isLast = options.isLast;
    this.revision = options.revision;
    this.#observer = options.observer;
    void this.#run(options.way);
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#isAborted) this.#abort.abort();
    return this.#abort.signal;
  }

  get stallMs(): number {
    return this.route.timeouts.requestMs;
  }

  /** What made the gateway answer by itself. */
  get error(): GatewayError | undefined {
    return this.#error;
  }

  abort(error: GatewayError): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#error ??= error;
    this.#abort?.abort(error);
    this.scope[Symbol.dispose]();
  }

  finish(outcome: Outcome): void {
    try {
      this.#observer.onExchangeEnd(this, outcome, outcome.error ?? this.#error);
    } finally {
      this.scope[Symbol.dispose]();
    }
  }

  openSession(reply: TunnelReply, client: Wire, early: Parking): void {
    this.#observer.onTunnel(this, reply, { client, early });
  }

  interim(status: number, headers: HeaderList): void {
    this.#sink.onInterim(this, status, headers);
  }

  refuse(thrown: unknown): ResponseReply {
    // After an abort, what failed is only a consequence.
    const error = this.#error ?? asGatewayError(thrown);
    this.#error = error;
    this.notes.error = error.code;
    return errorReply(error, { requestId: this.id, accept: this.head.headers.get("accept") ?? "" });
  }

  /** What every access record says of it. */
  describe(): AccessSubject {
    const { head, route, notes } = this;
    return {
      requestId: this.id,
      listener: this.listener,
      client: formatPeer(this.client),
      host: head.authority,
      method: head.method,
      target: head.target,
      ...(route.name === "" ? {} : { route: route.name }),
      ...(notes.upstream === undefined ? {} : { upstream: notes.upstream }),
      ...(notes.endpoint === undefined ? {} : { endpoint: notes.endpoint }),
    };
  }

  async #run(way: Next): Promise<void> {
    let reply: Reply;
    try {
      reply = await way(this);
    } catch (thrown) {
      reply = this.refuse(thrown);
      // What is thrown at once comes before `begin` has returned.
      await undefined;
    }
    this.#sink.onReply(this, reply);
  }
}
