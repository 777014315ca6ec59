import type { MetricFamily, MetricValue } from "../core/figures.ts";
import type { SessionEnd } from "../core/session.ts";
import { type Bounds, Histogram } from "./histogram.ts";

/** Seconds. */
const requestBounds: Bounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const sessionBounds: Bounds = [0.1, 1, 10, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 604_800];
const roundTripBounds: Bounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What is counted for one route. It survives snapshots. */
export class RouteFigures {
  readonly requests = new Map<number, number>();
  readonly handshakes = new Map<number, number>();
  /** By `code initiator reason`. */
  readonly closes = new Map<string, number>();
  readonly requestSeconds = new Histogram(requestBounds);
  readonly sessionSeconds = new Histogram(sessionBounds);

  countRequest(status: number, ms: number): void {
    increment(this.requests, status);
    this.requestSeconds.observe(ms / 1000);
  }

  countClose(end: SessionEnd, ms: number): void {
    const code = end.clientCode ?? end.sentToClient ?? end.upstreamCode ?? 1006;
    increment(this.closes, `${code} ${end.initiator} ${end.reason}`);
    this.sessionSeconds.observe(ms / 1000);
  }
}

/** Everything the data plane counts that is not read off its state. Route names come from the configuration, so labels are bounded. */
export class Figures {
  readonly errors = new Map<string, number>();
  readonly refusedConnections = new Map<string, number>();
  readonly tlsHandshakes = new Map<string, number>();
  readonly http2Limits = new Map<string, number>();
  readonly acceptedConnections = new Map<string, number>();
  readonly roundTrips = { client: new Histogram(roundTripBounds), upstream: new Histogram(roundTripBounds) };
  readonly #routes = new Map<string, RouteFigures>();

  of(route: string): RouteFigures {
    const known = this.#routes.get(route);
    if (known !== undefined) return known;
    const figures = new RouteFigures();
    this.#routes.set(route, figures);
    return figures;
  }

  families(): MetricFamily[] {
    const routes = [...this.#routes];
    const perRoute = (pick: (figures: RouteFigures) => Map<number, number>): MetricValue[] =>
      routes.flatMap(([route, figures]) =>
        [...pick(figures)].map(([status, value]) => ({ labels: { route, status }, value })),
      );
    return [
      counter(
        "causeway_requests_total",
        "HTTP exchanges by status.",
        perRoute((figures) => figures.requests),
      ),
      counter(
        "causeway_handshakes_total",
        "WebSocket handshakes by the status they were answered with.",
        perRoute((figures) => figures.handshakes),
      ),
      counter(
        "causeway_sessions_closed_total",
        "Ended sessions by close code, who began, and why; 1006 means that no Close frame was seen.",
        routes.flatMap(closeValues),
      ),
      histogram(
        "causeway_request_duration_seconds",
        "From a request's head to the end of its answer.",
        routes.map(([route, { requestSeconds }]) => ({ histogram: requestSeconds, labels: { route } })),
      ),
      histogram(
        "causeway_session_duration_seconds",
        "Lifetime of ended sessions.",
        routes.map(([route, { sessionSeconds }]) => ({ histogram: sessionSeconds, labels: { route } })),
      ),
      histogram("causeway_ping_rtt_seconds", "From a ping of the gateway's to its pong.", [
        { histogram: this.roundTrips.client, labels: { side: "client" } },
        { histogram: this.roundTrips.upstream, labels: { side: "upstream" } },
      ]),
      counter(
        "causeway_errors_total",
        "Errors that the gateway answered or closed with, by code.",
        labelled(this.errors, "code"),
      ),
      counter(
        "causeway_connections_accepted_total",
        "Client connections.",
        labelled(this.acceptedConnections, "listener"),
      ),
      counter(
        "causeway_tls_handshakes_total",
        "TLS handshakes of clients by how they ended.",
        labelled(this.tlsHandshakes, "result"),
      ),
      counter(
        "causeway_connections_refused_total",
        "Client connections that a limit refused.",
        labelled(this.refusedConnections, "limit"),
      ),
      counter(
        "causeway_http2_limits_total",
        "How often a client exceeded a limit of HTTP/2.",
        labelled(this.http2Limits, "limit"),
      ),
    ];
  }
}

function closeValues([route, figures]: readonly [string, RouteFigures]): MetricValue[] {
  return [...figures.closes].map(([key, value]) => {
    const [code = "", initiator = "", reason = ""] = key.split(" ");
    return { labels: { route, code, initiator, reason }, value };
  });
}

function labelled(counts: ReadonlyMap<string, number>, label: string): MetricValue[] {
  return [...counts].map(([key, value]) => ({ labels: { [label]: key }, value }));
}

/** Adds one. */
export function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** A family of the type `counter`. */
export function counter(name: string, help: string, values: readonly MetricValue[]): MetricFamily {
  return { name, help, type: "counter", values };
}

/** A family of the type `gauge`. */
export function gauge(name: string, help: string, values: readonly MetricValue[]): MetricFamily {
  return { name, help, type: "gauge", values };
}

type Reading = { readonly histogram: Histogram; readonly labels: Readonly<Record<string, string>> };

function histogram(name: string, help: string, readings: readonly Reading[]): MetricFamily {
  const values = readings.flatMap((reading) => reading.histogram.values(name, reading.labels));
  return { name, help, type: "histogram", values };
}
