import { z } from "zod";
import type { ListenerSettings } from "../../core/snapshot.ts";
import type { ListenerTls } from "../../core/tls-settings.ts";
import { parseIpRange } from "../../kit/ip-range.ts";
import { parseListenAddress } from "./addresses.ts";
import { duration, list, Misread, map, parsed, size, truth, whole } from "./fields.ts";
import { listenerTlsSchema } from "./tls.ts";

/** An address or a CIDR range, as it was written. */
export function ipRange() {
  return parsed({
    write: "write an address or a range such as 10.0.0.0/8",
    title: "address range",
    parse: (text) =>
      parseIpRange(text) === undefined
        ? new Misread(`"${text}" is no IP address or range`, "write an address or a range such as 10.0.0.0/8")
        : text,
  });
}

const timeouts = map({
  head: duration().prefault("10s").describe("From the first byte of a request to the end of its head (408)."),
  keepAlive: duration().prefault("75s").describe("How long a connection may wait for its next request."),
  tlsHandshake: duration().prefault("10s").describe("From the TCP connection to the end of the TLS handshake."),
});

const offOrCount = "write off, or a whole number from 1";

const limits = map({
  requestLine: size(64, 1024 ** 2)
    .prefault("8KB")
    .describe("Size of the request line (414)."),
  head: size(256, 4 * 1024 ** 2)
    .prefault("32KB")
    .describe("Size of the request line and all header lines (431)."),
  headers: whole(1, 10_000).prefault(100).describe("Header lines (431)."),
  connections: z
    .union([z.literal("off"), z.int({ error: offOrCount }).min(1, { error: offOrCount })], { error: offOrCount })
    .prefault("off")
    .describe("Connections open at once, over all workers; a further one gets 503."),
  pending: whole(1, 10_000_000)
    .prefault(10_000)
    .describe(
      "Connections without a complete head, and handshakes without an answer, at once, over all workers; a further one gets 503.",
    ),
  pendingPerAddress: whole(1, 10_000_000).prefault(1000).describe("The same for one client address (429)."),
  handshakesPerSecond: z
    .union([z.literal("off"), z.int({ error: offOrCount }).min(1, { error: offOrCount })], { error: offOrCount })
    .prefault("off")
    .describe("WebSocket handshakes a second, over all workers; a further one gets 503. Requests do not count."),
});

const http2 = map({
  enabled: truth().prefault(true).describe("Offered to clients of a listener with `tls`."),
  streams: whole(1, 10_000)
    .prefault(250)
    .describe("Requests and WebSockets open at once on one connection; a further one is refused, and can be repeated."),
  resetsPerSecond: whole(1, 100_000)
    .prefault(100)
    .describe("Streams of one connection that its client may abort per second, beside all that are open; more end it."),
  webSockets: truth().prefault(true).describe("WebSockets may be opened on streams (RFC 8441)."),
});

/** One member of `listeners`. */
export const listenerSchema = map(
  {
    address: parsed({
      write: 'write an address such as ":8080", "127.0.0.1:8080" or "[::1]:8080"',
      title: "address",
      parse: parseListenAddress,
    }).describe("Address and port to listen on. `:8080` means every IPv4 interface, port 0 any free port."),
    trustedProxies: list(ipRange(), "[ 10.0.0.0/8 ]")
      .prefault([])
      .describe("Addresses and ranges whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are believed."),
    proxyProtocol: list(ipRange(), "[ 10.0.0.0/8 ]")
      .prefault([])
      .describe(
        "Addresses and ranges of load balancers that begin every connection with a PROXY header (version 1 or 2), which says whose " +
          "it is. Without one, a connection from there is closed; from anywhere else none is expected. With `tls` it stands before the TLS handshake.",
      ),
    tls: listenerTlsSchema
      .optional()
      .describe("Certificates, and how TLS is spoken. Without it the listener speaks in the clear."),
    redirectToHttps: z
      .union([z.boolean(), whole(1, 65_535)], { error: "write true, or the port that speaks TLS" })
      .prefault(false)
      .describe(
        "Sends every request and handshake to the same address over TLS (308); with a number, to this port instead of 443.",
      ),
    h2c: truth()
      .prefault(false)
      .describe("HTTP/2 without TLS, for clients that begin with it (prior knowledge); HTTP/1.1 for all others."),
    http2: http2.prefault({}).describe("How HTTP/2 is spoken."),
    timeouts: timeouts.prefault({}).describe("How long a client may take."),
    limits: limits.prefault({}).describe("What one listener takes on at most."),
  },
  'a map such as { address: ":8080" }',
);

/** A listener for the model; `tls` is what its files came to. */
export function listenerSettings(
  name: string,
  listener: z.output<typeof listenerSchema>,
  tls: ListenerTls | undefined,
): ListenerSettings {
  const { connections, handshakesPerSecond, ...limits } = listener.limits;
  const { enabled, ...http2 } = listener.http2;
  return {
    name,
    host: listener.address.host,
    port: listener.address.port,
    trustedProxies: listener.trustedProxies,
    ...(listener.proxyProtocol.length === 0 ? {} : { proxyProtocol: listener.proxyProtocol }),
    ...(tls === undefined ? {} : { tls }),
    ...((listener.tls === undefined ? listener.h2c : enabled) ? { http2 } : {}),
    ...(listener.redirectToHttps === false ? {} : { httpsPort: portOf(listener.redirectToHttps) }),
    timeouts: { headMs: listener.timeouts.head, keepAliveMs: listener.timeouts.keepAlive },
    limits: {
      ...limits,
      connections: connections === "off" ? 0 : connections,
      ...(handshakesPerSecond === "off" ? {} : { handshakesPerSecond }),
    },
  };
}

function portOf(redirect: true | number): number {
  return redirect === true ? 443 : redirect;
}
