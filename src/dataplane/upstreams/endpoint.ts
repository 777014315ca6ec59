import type { EndpointStatus } from "../../core/figures.ts";
import type { ProxyProtocol } from "../../core/proxy-header.ts";
import { type EndpointSettings, formatAddress } from "../../core/snapshot.ts";
import type { PeerAddress } from "../../core/wire.ts";
import type { CircuitLoad } from "./circuit.ts";
import type { LeaseCounts } from "./lease-counts.ts";
import type { Offerable } from "./offer.ts";
import { PeakLatency } from "./peak-latency.ts";
import { Pool, type Pooled, type PoolLimits } from "./pool.ts";
import { SharedConnections } from "./shared-connections.ts";
import { Standing } from "./standing.ts";
import { type EjectionOwner, TrafficHealth } from "./traffic-health.ts";

/** One address of an upstream at run time. It outlives its configuration for as long as it has sessions. */
export class Endpoint<Connection extends Pooled> implements Offerable {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** The same for all its connections. */
  readonly peer: PeerAddress;
  readonly standing = new Standing();
  readonly traffic: TrafficHealth;
  readonly latency: PeakLatency;
  pool: Pool<Connection>;
  shared: SharedConnections;
  /** True if it speaks TLS. */
  isSecure: boolean;
  /** True if it is spoken to over HTTP/2, unless it declines. */
  speaksHttp2 = false;
  /** What a connection to it begins with. */
  proxyProtocol: ProxyProtocol | undefined;
  weight: number;
  isStandby: boolean;
  zone: string | undefined;
  /** Less than 1 while it starts slowly. */
  readiness = 1;
  credit = 0;
  sessions = 0;
  requests = 0;
  /** Connections that are being made. */
  connecting = 0;
  /** What all workers have lent; undefined if there is only one. */
  leases: LeaseCounts | undefined;
  /** Handshakes and requests that it has answered. */
  handshakes = 0;
  answers = 0;
  /** How long both took together. */
  answerMs = 0;

  /** Without an owner it is never ejected. */
  constructor(settings: EndpointSettings, limits: PoolLimits, owner?: EjectionOwner) {
    this.address = formatAddress(settings);
    this.host = settings.host;
    this.port = settings.port;
    this.peer = { address: settings.host, port: settings.port };
    this.isSecure = settings.isSecure ?? false;
    this.weight = settings.weight;
    this.isStandby = settings.isStandby ?? false;
    this.zone = settings.zone;
    this.pool = new Pool(limits);
    this.shared = new SharedConnections(limits.idleMs);
    this.traffic = new TrafficHealth(owner);
    this.latency = new PeakLatency(() => owner?.wheel.clock() ?? 0);
  }

  get share(): number {
    return this.weight * this.readiness;
  }

  get latencyMs(): number {
    return this.latency.ms;
  }

  /** What was connected until now is not used again. */
  renewPool(limits: PoolLimits): void {
    this.pool.limits = { idle: 0, idleMs: 0 };
    this.pool.clear();
    this.pool = new Pool(limits);
    this.shared.clear();
    this.shared = new SharedConnections(limits.idleMs);
  }

  get isLeaving(): boolean {
    return this.standing.state === "leaving";
  }

  /** Sessions and requests of this worker. */
  get ownLoad(): number {
    return this.sessions + this.requests;
  }

  /** What limits are compared with: sessions and requests of all workers, and connections of this one. */
  get circuitLoad(): CircuitLoad {
    const { sessions, requests } = this.leases?.othersByKind ?? { sessions: 0, requests: 0 };
    const { connecting, pool, shared } = this;
    const idle = pool.size + (shared.take() === undefined ? 0 : 1);
    return { sessions: this.sessions + sessions, requests: this.requests + requests, connecting, idle };
  }

  /** Sessions and requests of all workers. */
  get load(): number {
    return this.ownLoad + (this.leases?.others ?? 0);
  }

  /** Counts what is lent, and what is given back. */
  count(what: "sessions" | "requests", step: 1 | -1): void {
    this[what] += step;
    this.leases?.add(what, step);
  }

  get status(): EndpointStatus {
    const { failures } = this.traffic;
    return {
      address: this.address,
      weight: this.weight,
      state: this.standing.state,
      since: this.standing.since,
      why: this.standing.why,
      sessions: this.sessions,
      requests: this.requests,
      idleConnections: this.pool.size + this.shared.idle,
      sharedConnections: this.shared.size,
      handshakes: this.handshakes,
      answers: this.answers,
      answerMs: Math.round(this.answerMs),
      connectFailures: failures.connect,
      handshakeFailures: failures.handshake,
      answerFailures: failures.answer,
      sessionFailures: failures.session,
      ejections: this.traffic.ejections,
    };
  }
}
