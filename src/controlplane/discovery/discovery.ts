import type { DnsDiscovery } from "../../core/discovery-settings.ts";
import type { MetricFamily } from "../../core/figures.ts";
import { formatAddress, type UpstreamSettings } from "../../core/snapshot.ts";
import { within } from "../../kit/sleep.ts";
import type { EventLog } from "../event-log.ts";
import { DnsWatch } from "./dns-watch.ts";

/** How long a new configuration waits for the first answers about names that are new in it (ms). */
const firstAnswerMs = 3000;

/** Who hears of what is found. */
export type DiscoveryOptions = {
  readonly log: EventLog;
  /** Hears that the endpoints of some upstreams are others now. */
  readonly onChange: () => void;
};

/** Finds the endpoints of the upstreams that name no address, and keeps them up to date. */
export class Discovery implements Disposable {
  readonly #options: DiscoveryOptions;
  /** By what is asked, so that upstreams that ask for the same share the answers. */
  readonly #watches = new Map<string, DnsWatch>();

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** Begins to look for what these upstreams name, and resolves when the first answers are there or late. */
  async look(upstreams: readonly UpstreamSettings[]): Promise<void> {
    const asked = upstreams.flatMap(({ name, dns }) => (dns === undefined ? [] : this.#watch(name, dns).asked));
    await within(Promise.all(asked), firstAnswerMs, undefined);
  }

  /** Stops looking for what none of these upstreams names. */
  retain(upstreams: readonly UpstreamSettings[]): void {
    const kept = new Set(upstreams.map(({ dns }) => keyOf(dns)));
    for (const [key, watch] of this.#watches) {
      if (kept.has(key)) continue;
      watch[Symbol.dispose]();
      this.#watches.delete(key);
    }
  }

  /** These upstreams with the endpoints that were found beside those that they name. */
  fill(upstreams: readonly UpstreamSettings[]): readonly UpstreamSettings[] {
    return upstreams.map((upstream) => {
      const found = upstream.dns && this.#watches.get(keyOf(upstream.dns))?.endpoints;
      if (found === undefined || found.length === 0) return upstream;
      const named = new Set(upstream.endpoints.map(formatAddress));
      const others = found.filter((endpoint) => !named.has(formatAddress(endpoint)));
      return { ...upstream, endpoints: [...upstream.endpoints, ...others] };
    });
  }

  /** What was found for these upstreams, and how often asking was in vain. */
  families(upstreams: readonly UpstreamSettings[]): MetricFamily[] {
    const rows = upstreams.flatMap(({ name, dns }) => {
      const watch = this.#watches.get(keyOf(dns));
      return watch === undefined ? [] : [{ labels: { upstream: name }, watch }];
    });
    return [
      {
        name: "causeway_discovery_endpoints",
        help: "Endpoints that discovery has found.",
        type: "gauge",
        values: rows.map(({ labels, watch }) => ({ labels, value: watch.endpoints.length })),
      },
      {
        name: "causeway_discovery_failures_total",
        help: "Questions to DNS that had no answer, or one without a usable address.",
        type: "counter",
        values: rows.map(({ labels, watch }) => ({ labels, value: watch.failures })),
      },
    ];
  }

  [Symbol.dispose](): void {
    this.retain([]);
  }

  #watch(upstream: string, dns: DnsDiscovery): DnsWatch {
    const key = keyOf(dns);
    const known = this.#watches.get(key);
    if (known !== undefined) return known;
    const { log, onChange } = this.#options;
    const { name } = dns;
    const watch = new DnsWatch(dns, {
      onFound: (endpoints) => {
        const addresses = endpoints.map(formatAddress);
        const says = `${name}, for ${upstream}, is at ${addresses.join(", ")}`;
        log.info("discovery-found", says, { upstream, name, endpoints: addresses });
        onChange();
      },
      onFailed: (why) => {
        const left = watch.endpoints.length === 0 ? "there are no endpoints yet" : "what was found last stays";
        const says = `${name}, for ${upstream}, is not found, so ${left}: ${why}`;
        log.warn("discovery-failed", says, { upstream, name, why });
      },
      onBack: () => {
        log.info("discovery-back", `${name}, for ${upstream}, is found again, where it was`, { upstream, name });
      },
    });
    this.#watches.set(key, watch);
    return watch.start();
  }
}

function keyOf(dns: DnsDiscovery | undefined): string {
  return dns === undefined ? "" : JSON.stringify(dns);
}
