import type { EndpointStatus } from "../../core/figures.ts";
import { type EndpointSettings, formatAddress } from "../../core/snapshot.ts";
import type { Candidate } from "./balancer.ts";
import { Pool, type Pooled, type PoolLimits } from "./pool.ts";
import { Standing } from "./standing.ts";

/** One address of an upstream at run time. It outlives its configuration for as long as it has sessions. */
export class Endpoint<Connection extends Pooled> implements Candidate {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly pool: Pool<Connection>;
  readonly standing = new Standing();
  weight: number;
  sessions = 0;
  requests = 0;
  connectFailures = 0;

  constructor(settings: EndpointSettings, limits: PoolLimits) {
    this.address = formatAddress(settings);
    this.host = settings.host;
    this.port = settings.port;
    this.weight = settings.weight;
    this.pool = new Pool(limits);
  }

  get isLeaving(): boolean {
    return this.standing.state === "leaving";
  }

  get load(): number {
    return this.sessions + this.requests;
  }

  get status(): EndpointStatus {
    return {
      address: this.address,
      weight: this.weight,
      state: this.standing.state,
      since: this.standing.since,
      why: this.standing.why,
      sessions: this.sessions,
      requests: this.requests,
      idleConnections: this.pool.size,
      connectFailures: this.connectFailures,
    };
  }
}
