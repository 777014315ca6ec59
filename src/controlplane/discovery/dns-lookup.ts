import type { DnsDiscovery } from "../../core/discovery-settings.ts";
import type { EndpointSettings } from "../../core/snapshot.ts";
import { normalizeAddress } from "../../kit/ip-range.ts";
import { DnsClient } from "./dns-client.ts";
import type { AskedType, DnsRecord } from "./dns-message.ts";
import { fullNames, readResolvConf } from "./resolv-conf.ts";

/** What DNS says: endpoints in a fixed order, and for how long (seconds). */
export type Found = { readonly endpoints: readonly EndpointSettings[]; readonly ttl: number };

/** What an endpoint weighs whose record says nothing about it, and the heaviest otherwise. */
const usualWeight = 100;
/** An answer with more addresses than this is nonsense, or an attack. */
const mostEndpoints = 256;

/** Asks DNS once. Rejects with an Error if nobody answers, or the answer has no address that can be used. */
export async function lookUp(discovery: DnsDiscovery): Promise<Found> {
  const machine = readResolvConf();
  const isOwn = discovery.servers.length > 0;
  const servers = isOwn ? discovery.servers : machine.servers;
  const client = new DnsClient({ servers, timeoutMs: discovery.timeoutMs });
  const lookup = new Lookup(client, discovery);
  // Search domains are those of the machine's own servers.
  const names = isOwn ? [discovery.name] : fullNames(discovery.name, machine);
  let failure: unknown = new Error(`${discovery.name} has no address`);
  for (const name of names) {
    try {
      const found = await lookup.find(name);
      if (found.endpoints.length > 0) return found;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

class Lookup {
  readonly #client: DnsClient;
  readonly #discovery: DnsDiscovery;

  constructor(client: DnsClient, discovery: DnsDiscovery) {
    this.#client = client;
    this.#discovery = discovery;
  }

  async find(name: string): Promise<Found> {
    const { port } = this.#discovery;
    if (port === undefined) return this.#services(name);
    const { addresses, ttl } = await this.#addresses(name);
    return { ttl, endpoints: this.#endpoints(addresses.map((host) => ({ host, port, weight: usualWeight }))) };
  }

  /** Those of the best priority, and those of the others to stand by (RFC 2782). */
  async #services(name: string): Promise<Found> {
    const { records } = await this.#client.ask(name, "SRV");
    // A target of nothing says that the service is not there at all.
    const offered = records.filter((record): record is Service => record.type === "SRV" && record.target !== "");
    const services = offered.filter(({ port }) => port > 0).slice(0, mostEndpoints);
    const best = Math.min(...services.map(({ priority }) => priority));
    const heaviest = Math.max(...services.map(({ weight }) => weight));
    const placed = await Promise.all(
      services.map(async ({ target, port, weight, priority }) => {
        const share = heaviest === 0 ? usualWeight : Math.max(1, Math.round((weight / heaviest) * usualWeight));
        const { addresses, ttl } = await this.#addresses(target);
        const standby = priority > best ? { isStandby: true } : {};
        return { ttl, endpoints: addresses.map((host) => ({ host, port, weight: share, ...standby })) };
      }),
    );
    const ttl = Math.min(...services.map((record) => record.ttl), ...placed.map((one) => one.ttl));
    return { ttl, endpoints: this.#endpoints(placed.flatMap(({ endpoints }) => endpoints)) };
  }

  /** Of the two questions one may fail, since some servers know nothing of the other. */
  async #addresses(name: string): Promise<{ readonly addresses: readonly string[]; readonly ttl: number }> {
    const { family } = this.#discovery;
    const types: readonly AskedType[] = family === "any" ? ["A", "AAAA"] : [family === "ipv4" ? "A" : "AAAA"];
    const results = await Promise.allSettled(types.map((type) => this.#client.ask(name, type)));
    const [failed] = results.filter((result) => result.status === "rejected");
    const records = results.flatMap((result) => (result.status === "fulfilled" ? result.value.records : []));
    const addresses = records.flatMap(usableAddress).slice(0, mostEndpoints);
    if (addresses.length === 0 && failed !== undefined) throw failed.reason;
    return { addresses, ttl: Math.min(...records.map((record) => record.ttl)) };
  }

  #endpoints(found: readonly EndpointSettings[]): readonly EndpointSettings[] {
    const { isSecure } = this.#discovery;
    const byAddress = new Map(found.map((endpoint) => [`${endpoint.host} ${endpoint.port}`, endpoint]));
    const inOrder = [...byAddress].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, endpoint]) => endpoint);
    return inOrder.slice(0, mostEndpoints).map((endpoint) => (isSecure ? { ...endpoint, isSecure } : endpoint));
  }
}

type Service = Extract<DnsRecord, { type: "SRV" }>;

/** An address that is every address would lead to this machine, and one of a group to nobody. */
function usableAddress(record: DnsRecord): readonly string[] {
  if (record.type === "SRV") return [];
  const address = normalizeAddress(record.address);
  if (address === undefined || address === "0.0.0.0" || address === "::") return [];
  const isGroup = address.includes(":") ? address.startsWith("ff") : Number(address.split(".")[0]) >= 224;
  return isGroup ? [] : [address];
}
