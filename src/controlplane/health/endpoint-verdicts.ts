import type { DrainTerms } from "../../core/drain-order.ts";
import type { EndpointVerdict } from "../../core/endpoint-state.ts";
import { formatAddress, type UpstreamSettings } from "../../core/snapshot.ts";
import type { KeyPair } from "../../core/tls-settings.ts";
import { formatDuration } from "../../kit/duration.ts";
import type { EventLog } from "../event-log.ts";
import { type CheckFigures, type CheckOf, EndpointCheck, type Finding } from "./endpoint-check.ts";
import { type Probe, type ProbeResult, probe } from "./probe.ts";

/** Who hears of verdicts, and how endpoints are probed. */
export type EndpointVerdictsOptions = {
  readonly log: EventLog;
  /** Hears of every verdict that is new. */
  readonly onVerdicts: (verdicts: readonly EndpointVerdict[]) => void;
  readonly probe?: (probe: Probe, signal: AbortSignal) => Promise<ProbeResult>;
};

/** An endpoint as the control process knows it. */
export type KnownEndpoint = { readonly verdict: EndpointVerdict; readonly checks: CheckFigures | undefined };

type Entry = {
  readonly host: string;
  readonly port: number;
  verdict: EndpointVerdict;
  check: EndpointCheck | undefined;
};

/** What checks and operators say of every configured endpoint. It is kept for as long as the endpoint stays configured. */
export class EndpointVerdicts implements Disposable {
  readonly #options: EndpointVerdictsOptions;
  /** By upstream and address. */
  readonly #upstreams = new Map<string, Map<string, Entry>>();
  /** What workers knew before this process was there, by upstream and address, until a configuration is in force. */
  #inherited = new Map<string, EndpointVerdict>();

  constructor(options: EndpointVerdictsOptions) {
    this.#options = options;
  }

  /** All that is worth telling a worker that has just started. */
  get all(): EndpointVerdict[] {
    return this.entries().flatMap(({ verdict }) => (isNews(verdict) ? [verdict] : []));
  }

  entries(): KnownEndpoint[] {
    return [...this.#upstreams.values()].flatMap((entries) =>
      [...entries.values()].map(({ verdict, check }) => ({ verdict, checks: check?.figures })),
    );
  }

  find(upstream: string, address: string): KnownEndpoint | undefined {
    const entry = this.#upstreams.get(upstream)?.get(address);
    return entry === undefined ? undefined : { verdict: entry.verdict, checks: entry.check?.figures };
  }

  /** What the workers of a control process before this one know; it holds for endpoints that are still configured. */
  inherit(verdicts: readonly EndpointVerdict[]): void {
    // A suspicion is about a check of the process before this one, whose end nobody will know.
    const lasting = verdicts.map(({ isSuspected: _, ...verdict }) => verdict);
    this.#inherited = new Map(lasting.map((verdict) => [`${verdict.upstream} ${verdict.address}`, verdict]));
  }

  /** These upstreams are in force now. */
  update(upstreams: readonly UpstreamSettings[], certificates: readonly KeyPair[] = []): void {
    const wanted = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
    const forgotten: EndpointVerdict[] = [];
    for (const [name, entries] of this.#upstreams) {
      const stay = new Set(wanted.get(name)?.endpoints.map(formatAddress));
      for (const [address, entry] of entries) {
        if (stay.has(address)) continue;
        entry.check?.[Symbol.dispose]();
        entries.delete(address);
        if (isNews(entry.verdict)) forgotten.push(unchecked(name, address));
      }
      if (entries.size === 0) this.#upstreams.delete(name);
    }
    for (const upstream of upstreams) this.#updateOne(upstream, probeTls(upstream, certificates));
    this.#inherited.clear();
    if (forgotten.length > 0) this.#options.onVerdicts(forgotten);
  }

  /**
   * An operator drains an endpoint, or takes that back; undefined if there is no such endpoint. Without terms its sessions are ended as its
   * upstream says.
   */
  drain(upstream: string, address: string, what: "begin" | "undo" | DrainTerms): EndpointVerdict | undefined {
    const entry = this.#upstreams.get(upstream)?.get(address);
    if (entry === undefined) return undefined;
    const isDraining = what !== "undo";
    if (entry.verdict.isDraining === isDraining) return entry.verdict;
    const { drain: _, ...verdict } = entry.verdict;
    this.#tell(entry, { ...verdict, isDraining, ...(typeof what === "string" ? {} : { drain: what }) });
    const { log } = this.#options;
    const fields = { upstream, endpoint: address };
    const name = `${address} of ${upstream}`;
    if (isDraining) log.info("endpoint-draining", `${name} drains, as it was asked to`, fields);
    else log.info("endpoint-undrained", `${name} takes new sessions again, as it was asked to`, fields);
    return entry.verdict;
  }

  [Symbol.dispose](): void {
    for (const entries of this.#upstreams.values()) {
      for (const { check } of entries.values()) check?.[Symbol.dispose]();
    }
    this.#upstreams.clear();
  }

  #updateOne({ name, endpoints, health }: UpstreamSettings, tls: CheckOf["tls"]): void {
    const entries = this.#upstreams.get(name) ?? new Map<string, Entry>();
    this.#upstreams.set(name, entries);
    for (const endpoint of endpoints) {
      const address = formatAddress(endpoint);
      const { host, port } = endpoint;
      const verdict = this.#inherited.get(`${name} ${address}`) ?? unchecked(name, address);
      const entry = entries.get(address) ?? { host, port, verdict, check: undefined };
      entries.set(address, entry);
      this.#check(entry, health?.check && { ...health.check, ...(endpoint.isSecure === true ? { tls } : {}) });
    }
  }

  #check(entry: Entry, settings: CheckOf | undefined): void {
    if (settings === undefined) {
      if (entry.verdict.health === "unchecked") return;
      entry.check?.[Symbol.dispose]();
      entry.check = undefined;
      const { upstream, address, isDraining, drain } = entry.verdict;
      this.#tell(entry, { ...unchecked(upstream, address), isDraining, ...(drain === undefined ? {} : { drain }) });
    } else if (entry.check !== undefined) {
      entry.check.settings = settings;
    } else {
      const { host, port, verdict } = entry;
      const onFinding = (finding: Finding): void => this.#found(entry, finding);
      const onSuspicion = (why: string | undefined): void => this.#suspected(entry, why);
      const how = { settings, health: verdict.health, probe: this.#options.probe ?? probe };
      entry.check = new EndpointCheck({ host, port, onFinding, onSuspicion, ...how }).start();
    }
  }

  #suspected(entry: Entry, why: string | undefined): void {
    const { isSuspected: _, ...verdict } = entry.verdict;
    this.#tell(entry, { ...verdict, why: why ?? "", ...(why === undefined ? {} : { isSuspected: true }) });
  }

  #found(entry: Entry, { health, why }: Finding): void {
    const { isSuspected: _, ...verdict } = entry.verdict;
    const { upstream, address, health: before, since } = verdict;
    const now = Date.now();
    this.#tell(entry, { ...verdict, health, why, since: now });
    const fields = { upstream, endpoint: address, ...(why === "" ? {} : { why }) };
    const { log } = this.#options;
    if (health === "unhealthy")
      log.warn("endpoint-unhealthy", `${address} of ${upstream} fails its checks: ${why}`, fields);
    else if (before === "unhealthy") {
      const after = formatDuration(Math.max(1, now - since));
      log.info("endpoint-healthy", `${address} of ${upstream} passes its checks again, after ${after}`, fields);
    }
  }

  #tell(entry: Entry, verdict: EndpointVerdict): void {
    entry.verdict = verdict;
    this.#options.onVerdicts([verdict]);
  }
}

/** Checks believe whom traffic believes, and show what it shows. */
function probeTls({ tls }: UpstreamSettings, certificates: readonly KeyPair[]): CheckOf["tls"] {
  if (tls === undefined) return undefined;
  const pair = certificates.find(({ id }) => id === tls.certificate);
  return {
    verify: tls.verify,
    ...(tls.serverName === undefined ? {} : { name: tls.serverName }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(pair === undefined ? {} : { cert: pair.cert, key: pair.key }),
  };
}

function unchecked(upstream: string, address: string): EndpointVerdict {
  return { upstream, address, health: "unchecked", isDraining: false, since: Date.now() };
}

function isNews({ health, isDraining }: EndpointVerdict): boolean {
  return health !== "unchecked" || isDraining;
}
