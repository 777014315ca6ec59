import { isIP } from "node:net";
import { z } from "zod";
import type { DnsDiscovery } from "../../core/discovery-settings.ts";
import { parseEndpointAddress, parseHostName } from "./addresses.ts";
import { duration, list, Misread, map, parsed, word } from "./fields.ts";

const nameHint =
  "write name:port, such as app.internal:8888, or the name of SRV records, such as _http._tcp.app.internal";

/** A name with a port, or one of SRV records (RFC 2782), which hold the port. */
type DnsName = { readonly name: string; readonly port?: number };

function parseDnsName(text: string): DnsName | Misread {
  if (/^_[^.:]+\._[^.:]+\.[^:]+$/.test(text)) {
    const name = parseHostName(text);
    return name instanceof Misread ? name : { name };
  }
  const address = parseEndpointAddress(text);
  if (address instanceof Misread) return new Misread(address.problem.says, nameHint);
  if (address.isSecure !== undefined || address.port === 0)
    return new Misread(`"${text}" is no name with a port`, nameHint);
  if (isIP(address.host) !== 0)
    return new Misread(`"${address.host}" is an address already`, "write it under endpoints");
  return { name: address.host, port: address.port };
}

function parseServer(text: string): { readonly host: string; readonly port: number } | Misread {
  const hint = "write the IP address of a DNS server, such as 10.0.0.2 or 10.0.0.2:5353";
  if (isIP(text) !== 0) return { host: text, port: 53 };
  const address = parseEndpointAddress(text);
  if (address instanceof Misread || isIP(address.host) === 0)
    return new Misread(`"${text}" is no address of a server`, hint);
  return { host: address.host, port: address.port };
}

const dnsName = () => parsed({ write: nameHint, title: "name:port", parse: parseDnsName });
const server = () => parsed({ write: "write an IP address such as 10.0.0.2", title: "address", parse: parseServer });

/** Between these an answer may be used. */
const ttl = () => duration().refine((ms) => ms >= 100, { error: "write at least 100ms" });

/** `dns` of an upstream. */
export const dnsSchema = z
  .union(
    [
      dnsName(),
      map({
        name: dnsName().describe("Name and port; or the name of SRV records, which hold the port."),
        family: word("any", "ipv4", "ipv6").prefault("any").describe("Which addresses are used."),
        servers: list(server(), "[ 10.0.0.2 ]")
          .prefault([])
          .describe(
            "IP addresses of the servers to ask, with a port unless it is 53. Those of `/etc/resolv.conf` otherwise.",
          ),
        minTtl: ttl().prefault("5s").describe("An answer is used for no shorter than this, whatever it says itself."),
        maxTtl: ttl().prefault("5m").describe("And for no longer."),
        timeout: duration()
          .prefault("2s")
          .describe("How long one server has for one answer, before the next one is asked."),
      }),
    ],
    { error: "write name:port, or { name: app.internal:8888, maxTtl: 1m }" },
  )
  .optional();

type Dns = NonNullable<z.output<typeof dnsSchema>>;

const usual = { family: "any", servers: [], minTtl: 5000, maxTtl: 300_000, timeout: 2000 } as const;

/** The discovery for the model. */
export function dnsSettings(dns: Dns, isSecure: boolean): DnsDiscovery {
  const { name, family, servers, minTtl, maxTtl, timeout } = isName(dns) ? { ...usual, name: dns } : dns;
  return {
    ...name,
    family,
    servers,
    minTtlMs: minTtl,
    maxTtlMs: Math.max(minTtl, maxTtl),
    timeoutMs: timeout,
    isSecure,
  };
}

function isName(dns: Dns): dns is DnsName {
  return typeof dns.name === "string";
}
