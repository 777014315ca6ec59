import type { Exchange, TunnelReply } from "../../core/exchange.ts";
import { Parking } from "../../core/parking.ts";
import type { ResumeSettings } from "../../core/snapshot.ts";
import { Scope } from "../../kit/scope.ts";
import { Timer } from "../../kit/timer-wheel.ts";
import type { ClientConnection } from "../http1/client-connection.ts";
import { type Replacement, ResumableWire, type ResumeResult, type Resumer } from "../relay/resumable-wire.ts";
import type { Lease } from "../upstreams/lease.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import type { ForwardParts } from "./forward.ts";
import { openTunnel } from "./handshake.ts";

/** Says to the application that this handshake is the continuation of a session, and the how manieth. */
export const resumedField = "X-Causeway-Resumed";

/** The first wait between two rounds, and the longest one (ms). */
const firstWaitMs = 50;
const longestWaitMs = 1000;
/** A connection that was lost within this time of its handshake counts as quick; so many in a row are enough (ms). */
const quickMs = 1000;
const mostQuick = 3;

/** A session that may outlive its upstream connection, and what it needs for another one. */
export type ResumerOptions = {
  readonly exchange: Exchange;
  readonly parts: ForwardParts;
  readonly upstream: Upstream<ClientConnection>;
  readonly settings: ResumeSettings;
  /** The endpoint that the session begins with. */
  readonly lease: Lease<ClientConnection>;
};

/** Makes the upstream wire of a tunnel one that outlives its connection. The lease ends with the exchange's scope. */
export function makeResumable(reply: TunnelReply, options: ResumerOptions): TunnelReply {
  const resumer = new SessionResumer(options, reply.protocol);
  options.exchange.scope.use(resumer);
  const parked = new Parking();
  const wire = new ResumableWire(reply.upstream, { settings: options.settings, resumer, receiver: parked });
  reply.upstream.receiver = wire;
  reply.parked.release(wire);
  return { ...reply, upstream: wire, parked, resumable: wire };
}

/** Dials other endpoints with the handshake that a session began with. */
class SessionResumer implements Resumer {
  readonly #options: ResumerOptions;
  readonly #protocol: string | undefined;
  #lease: Lease<ClientConnection>;
  #scope = new Scope();
  #times = 0;
  #openedAt: number;
  #quick = 0;
  #isOver = false;

  constructor(options: ResumerOptions, protocol: string | undefined) {
    this.#options = options;
    this.#protocol = protocol;
    this.#lease = options.lease;
    this.#openedAt = options.parts.wheel.clock();
  }

  async find(): Promise<Replacement | undefined> {
    const { parts, settings, upstream, exchange } = this.#options;
    const lost = new Set([this.#lease.endpoint]);
    const now = parts.wheel.clock();
    this.#letGo();
    this.#quick = now - this.#openedAt < quickMs ? this.#quick + 1 : 0;
    if (this.#quick > mostQuick) return undefined;
    const deadline = now + settings.withinMs;
    this.#times++;
    for (let waitMs = firstWaitMs; !this.#isOver; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
      const lease = upstream.leaseAnother(lost, exchange);
      const found = lease && (await this.#try(lease, deadline));
      if (found !== undefined) return found;
      if (lease !== undefined) lost.add(lease.endpoint);
      if (parts.wheel.clock() + waitMs >= deadline) return undefined;
      await this.#wait(waitMs);
    }
    return undefined;
  }

  onResult(result: ResumeResult): void {
    this.#options.upstream.resumptions[result]++;
  }

  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGo();
  }

  async #try(lease: Lease<ClientConnection>, deadline: number): Promise<Replacement | undefined> {
    const { parts } = this.#options;
    const { endpoint } = lease;
    const scope = new Scope();
    try {
      const reply = await openTunnel({ exchange: this.#again(scope, deadline), parts, endpoint });
      const isSame = reply.kind === "tunnel" && reply.protocol === this.#protocol;
      if (isSame && !this.#isOver) return this.#take(reply, lease, scope);
    } catch {
      // What is wrong with the endpoint was noted where it showed; the next one is tried.
    }
    scope[Symbol.dispose]();
    lease[Symbol.dispose]();
    return undefined;
  }

  #take(reply: TunnelReply, lease: Lease<ClientConnection>, scope: Scope): Replacement {
    lease.endpoint.handshakes++;
    this.#lease = lease;
    this.#scope = scope;
    this.#openedAt = this.#options.parts.wheel.clock();
    return { wire: reply.upstream, parked: reply.parked, endpoint: reply.endpoint };
  }

  /** The same handshake, within what is left of the time. */
  #again(scope: Scope, deadline: number): Exchange {
    const { exchange, parts } = this.#options;
    const { id, kind, head, target, listener, isSecure, peer, client, isFromTrustedProxy } = exchange;
    const now = parts.wheel.clock();
    const { timeouts } = exchange.route;
    const leftMs = Math.max(1, deadline - now);
    const handshakeMs = timeouts.handshakeMs === 0 ? leftMs : Math.min(timeouts.handshakeMs, leftMs);
    const headers = exchange.headers.clone();
    headers.set(resumedField, String(this.#times));
    return {
      ...{ id, kind, head, target, headers, listener, isSecure, peer, client, isFromTrustedProxy },
      interim: (status, fields) => exchange.interim(status, fields),
      refuse: (thrown) => exchange.refuse(thrown),
      route: { ...exchange.route, timeouts: { ...timeouts, handshakeMs } },
      body: undefined,
      scope,
      signal: new AbortController().signal,
      startedAt: now,
      notes: { upstream: this.#options.upstream.name, tries: 0 },
    };
  }

  #wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#options.parts.wheel.arm(new Timer(() => resolve()), ms);
    return promise;
  }

  #letGo(): void {
    this.#scope[Symbol.dispose]();
    this.#lease[Symbol.dispose]();
  }
}
