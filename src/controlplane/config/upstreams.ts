import { z } from "zod";
import type { HealthSettings } from "../../core/health-settings.ts";
import type { CircuitLimits, EndpointSettings, UpstreamSettings } from "../../core/snapshot.ts";
import type { UpstreamTls } from "../../core/tls-settings.ts";
import { parseEndpointAddress } from "./addresses.ts";
import {
  balanceSchema,
  balanceSettings,
  rebalanceSchema,
  rebalanceSettings,
  slowStartSchema,
  slowStartSettings,
  stickySchema,
  stickySettings,
} from "./balance.ts";
import { dnsSchema, dnsSettings } from "./dns.ts";
import { ejectionSchema, ejectionSettings } from "./ejection.ts";
import { endpointDrainSchema } from "./endpoint-drain.ts";
import { duration, list, map, parsed, text, truth, whole, word } from "./fields.ts";
import { checkSettings, healthSchema } from "./health.ts";
import { upstreamTlsSchema } from "./tls.ts";

/** What an endpoint weighs that says nothing about it. */
const usualWeight = 100;

const address = () =>
  parsed({ write: "write host:port, such as 127.0.0.1:8888", title: "host:port", parse: parseEndpointAddress });

const endpoint = z.union(
  [
    address(),
    map({
      address: address().describe(
        "Name or IP address, and port; `https://` or `wss://` and the same, for TLS; or `unix:` and the path of a socket.",
      ),
      weight: whole(0, 10_000)
        .prefault(usualWeight)
        .describe("Share in relation to the other endpoints; 0 takes nothing new, 50 half of the usual."),
      standby: truth().prefault(false).describe("Used only when too few of the others are usable; see `standbyBelow`."),
      zone: text("write the name of a zone").min(1).optional().describe("Where it stands; see `zones`."),
    }),
  ],
  { error: "write host:port, or { address: host:port, weight: 50 }" },
);

const zonesSchema = map({
  prefer: text("write the name of a zone").min(1).describe("The zone that endpoints are taken from first."),
  spillBelow: whole(1, 100)
    .prefault(70)
    .describe("Percent of usable endpoints in that zone below which the others get what is missing."),
})
  .optional()
  .describe("Endpoints with the same `zone` as the gateway are used first. Without it all are alike.");

/** What may be under way at once. */
const circuitLimits = () =>
  map({
    sessions: whole(1, 10_000_000).optional().describe("Open sessions, handshakes under way included."),
    requests: whole(1, 10_000_000)
      .optional()
      .describe("HTTP requests that wait for their answer, or for the end of it."),
    connects: whole(1, 10_000_000).optional().describe("Connections that are being made, in each worker by itself."),
  }).optional();

/** One member of `upstreams`. */
export const upstreamSchema = map(
  {
    endpoints: list(endpoint, "[ 127.0.0.1:8888 ]")
      .prefault([])
      .describe(
        "Needed unless `dns` is there. Where the application listens: `host:port`, a URL such as `https://app.internal` without a path, or `unix:/run/app.sock`.",
      ),
    dns: dnsSchema.describe(
      "A name that DNS is asked for again and again; each of its addresses is an endpoint. With the keys below, or just the name.",
    ),
    tls: upstreamTlsSchema
      .optional()
      .describe("How TLS is spoken with endpoints. With it, endpoints without a scheme speak TLS as well."),
    protocol: word("http1", "h2")
      .prefault("http1")
      .describe(
        "`h2`: HTTP/2, with requests and WebSockets side by side on shared connections. Over TLS the endpoint chooses, and HTTP/1.1 is spoken if " +
          "it chooses that; in the clear it has to speak HTTP/2. WebSockets take connections of HTTP/1.1 if it does not offer RFC 8441.",
      ),
    proxyProtocol: word("v1", "v2")
      .optional()
      .describe(
        "What every connection to an endpoint begins with, so that the application knows the client's address: the PROXY protocol, as text or " +
          "as bytes. HTTP connections are not kept for reuse then. Not with TLS.",
      ),
    balance: balanceSchema,
    sticky: stickySchema,
    slowStart: slowStartSchema,
    rebalance: rebalanceSchema,
    standbyBelow: whole(1, 100)
      .prefault(1)
      .describe(
        "Percent of usable endpoints below which those with `standby` are offered too; 1: when no other one is left.",
      ),
    zones: zonesSchema,
    pool: map({
      idle: whole(0, 100_000).prefault(64).describe("Idle HTTP connections that are kept for reuse."),
      idleTimeout: duration().prefault("60s").describe("How long they are kept."),
    })
      .prefault({})
      .describe("Reuse of HTTP connections to the endpoints."),
    health: healthSchema
      .optional()
      .describe("Checks of every endpoint, by the gateway itself; without it nothing is checked."),
    ejection: ejectionSchema
      .prefault({})
      .describe("When traffic that fails takes an endpoint out for a while, in each worker by itself; or `off`."),
    panic: whole(0, 100)
      .prefault(10)
      .describe("Percent of usable endpoints below which health is ignored and all are tried; 0 never does that."),
    limits: circuitLimits().describe(
      "What the whole upstream takes at once. Past it a client gets 503 at once, with `Retry-After`.",
    ),
    endpointLimits: circuitLimits().describe("What each endpoint takes; one that is full is passed over."),
    drain: endpointDrainSchema,
  },
  "a map such as { endpoints: [ 127.0.0.1:8888 ] }",
);

/** An upstream for the model; `tls` is what its files came to. */
export function upstreamSettings(
  name: string,
  upstream: z.output<typeof upstreamSchema>,
  tls: UpstreamTls | undefined,
): UpstreamSettings {
  return {
    name,
    endpoints: upstream.endpoints.map((endpoint) => endpointSettings(endpoint, upstream.tls !== undefined)),
    balance: balanceSettings(upstream.balance),
    ...choiceSettings(name, upstream),
    ...(upstream.dns === undefined ? {} : { dns: dnsSettings(upstream.dns, upstream.tls !== undefined) }),
    ...(tls === undefined ? {} : { tls }),
    ...(upstream.protocol === "h2" ? { protocol: "h2" } : {}),
    ...(upstream.proxyProtocol === undefined ? {} : { proxyProtocol: upstream.proxyProtocol }),
    pool: { idle: upstream.pool.idle, idleMs: upstream.pool.idleTimeout },
    health: healthOf(upstream),
    ...(upstream.limits === undefined ? {} : { limits: circuit(upstream.limits) }),
    ...(upstream.endpointLimits === undefined ? {} : { endpointLimits: circuit(upstream.endpointLimits) }),
    ...(upstream.drain === undefined ? {} : { drainMs: upstream.drain }),
  };
}

const usualEndpoint = { weight: usualWeight, standby: false, zone: undefined };

/** What is said of choosing, as far as anything is said. */
function choiceSettings(
  name: string,
  upstream: z.output<typeof upstreamSchema>,
): Pick<UpstreamSettings, "sticky" | "slowStart" | "rebalance" | "standbyBelow" | "zones"> {
  const sticky = stickySettings(name, upstream.sticky);
  const slowStart = slowStartSettings(upstream.slowStart);
  const { standbyBelow, zones, rebalance } = upstream;
  return {
    ...(sticky === undefined ? {} : { sticky }),
    ...(slowStart === undefined ? {} : { slowStart }),
    ...(rebalance === undefined ? {} : { rebalance: rebalanceSettings(rebalance) }),
    ...(standbyBelow === 1 ? {} : { standbyBelow }),
    ...(zones === undefined ? {} : { zones }),
  };
}

function endpointSettings(
  endpoint: z.output<typeof upstreamSchema>["endpoints"][number],
  isUsuallySecure: boolean,
): EndpointSettings {
  const { address, weight, standby, zone } = "address" in endpoint ? endpoint : { ...usualEndpoint, address: endpoint };
  const { isSecure = isUsuallySecure, host, port } = address;
  return {
    host,
    port,
    weight,
    ...(isSecure ? { isSecure } : {}),
    ...(standby ? { isStandby: true } : {}),
    ...(zone === undefined ? {} : { zone }),
  };
}

/** True if TLS is spoken with any of its endpoints. */
export function speaksTls(upstream: Pick<z.output<typeof upstreamSchema>, "endpoints" | "dns" | "tls">): boolean {
  const { endpoints, dns, tls } = upstream;
  if (dns !== undefined && tls !== undefined) return true;
  return endpoints.some((endpoint) => endpointSettings(endpoint, tls !== undefined).isSecure);
}

function circuit({
  sessions,
  requests,
  connects,
}: NonNullable<z.output<ReturnType<typeof circuitLimits>>>): CircuitLimits {
  return {
    ...(sessions === undefined ? {} : { sessions }),
    ...(requests === undefined ? {} : { requests }),
    ...(connects === undefined ? {} : { connects }),
  };
}

function healthOf(upstream: z.output<typeof upstreamSchema>): HealthSettings {
  const { health, panic, proxyProtocol } = upstream;
  const ejection = ejectionSettings(upstream.ejection);
  return {
    ...(health === undefined ? {} : { check: { ...checkSettings(health), ...(proxyProtocol && { proxyProtocol }) } }),
    ...(ejection === undefined ? {} : { ejection }),
    panic,
    onUnhealthy: health?.onUnhealthy ?? "keep",
  };
}
