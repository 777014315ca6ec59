import type { MetricFamily, UpstreamStatus } from "../core/figures.ts";
import { counter, gauge } from "./figures.ts";
import type { ClientConnection } from "./http1/client-connection.ts";
import type { Upstream } from "./upstreams/upstream.ts";

/** What the endpoints of upstreams count, as metrics. */
export function endpointFamilies(status: readonly UpstreamStatus[]): MetricFamily[] {
  const rows = status.flatMap(({ name, endpoints }) => {
    return endpoints.map((endpoint) => ({ labels: { upstream: name, endpoint: endpoint.address }, endpoint }));
  });
  type Row = (typeof rows)[number];
  const each = (pick: (row: Row) => number) => rows.map((row) => ({ labels: row.labels, value: pick(row) }));
  return [
    gauge(
      "causeway_endpoint_sessions",
      "Sessions of an endpoint, handshakes under way included.",
      each(({ endpoint }) => endpoint.sessions),
    ),
    gauge(
      "causeway_endpoint_requests",
      "Requests that an endpoint is answering.",
      each(({ endpoint }) => endpoint.requests),
    ),
    gauge(
      "causeway_endpoint_idle_connections",
      "Connections to an endpoint that wait for their next request.",
      each(({ endpoint }) => endpoint.idleConnections),
    ),
    gauge(
      "causeway_endpoint_shared_connections",
      "Connections to an endpoint over HTTP/2, each of which carries many exchanges.",
      each(({ endpoint }) => endpoint.sharedConnections),
    ),
    counter(
      "causeway_endpoint_connect_failures_total",
      "Connections to an endpoint that failed or timed out.",
      each(({ endpoint }) => endpoint.connectFailures),
    ),
    counter(
      "causeway_endpoint_answers_total",
      "What an endpoint has answered.",
      rows.flatMap(({ labels, endpoint }) => [
        { labels: { ...labels, kind: "handshake" }, value: endpoint.handshakes },
        { labels: { ...labels, kind: "request" }, value: endpoint.answers },
      ]),
    ),
    counter(
      "causeway_endpoint_answer_seconds_total",
      "How long an endpoint took for them, from the try to the head of the answer.",
      each(({ endpoint }) => endpoint.answerMs / 1000),
    ),
    counter(
      "causeway_endpoint_failures_total",
      "Handshakes and requests that got no answer, a wrong one, or one of 500 to 599; and sessions that lost their upstream young.",
      rows.flatMap(({ labels, endpoint }) => [
        { labels: { ...labels, kind: "handshake" }, value: endpoint.handshakeFailures },
        { labels: { ...labels, kind: "request" }, value: endpoint.answerFailures },
        { labels: { ...labels, kind: "session" }, value: endpoint.sessionFailures },
      ]),
    ),
    counter(
      "causeway_endpoint_ejections_total",
      "How often failing traffic took an endpoint out, in all workers together.",
      each(({ endpoint }) => endpoint.ejections),
    ),
    gauge(
      "causeway_endpoint_ejected",
      "Workers in which an endpoint is out because its traffic failed.",
      each(({ endpoint }) => (endpoint.state === "ejected" ? 1 : 0)),
    ),
  ];
}

/** What upstreams count as a whole, as metrics. */
export function upstreamFamilies(upstreams: readonly Upstream<ClientConnection>[]): MetricFamily[] {
  return [
    counter(
      "causeway_upstream_retries_total",
      "Exchanges tried on another endpoint, and those that were not because the budget was used up.",
      upstreams.flatMap(({ name, retries }) => [
        { labels: { upstream: name, result: "tried" }, value: retries.tried },
        { labels: { upstream: name, result: "over_budget" }, value: retries.over_budget },
      ]),
    ),
    counter(
      "causeway_upstream_resumptions_total",
      "Sessions that had lost their upstream, on routes that resume them, by what became of them.",
      upstreams.flatMap(({ name, resumptions }) =>
        Object.entries(resumptions).map(([result, value]) => ({ labels: { upstream: name, result }, value })),
      ),
    ),
    counter(
      "causeway_upstream_refused_total",
      "Exchanges that a limit of the upstream, or of all its endpoints, refused.",
      upstreams.flatMap(({ name, refusals }) =>
        Object.entries(refusals).map(([limit, value]) => ({ labels: { upstream: name, limit }, value })),
      ),
    ),
    counter(
      "causeway_sticky_total",
      "Exchanges by what their cookie came to: new (none), kept, moved (its endpoint takes nothing new), tampered.",
      upstreams.flatMap(({ name, stickyCounts = {} }) =>
        Object.entries(stickyCounts).map(([result, value]) => ({ labels: { upstream: name, result }, value })),
      ),
    ),
    counter(
      "causeway_keyless_total",
      "Exchanges that lack the key by which their endpoint is to be chosen; they are balanced without it.",
      upstreams.flatMap(({ name, keyless }) =>
        keyless === undefined ? [] : [{ labels: { upstream: name }, value: keyless }],
      ),
    ),
    gauge(
      "causeway_endpoint_surplus",
      "Sessions above its share that an endpoint has, of an upstream with rebalance.",
      upstreams.flatMap(({ name, surplus }) =>
        surplus.map(({ address, count }) => ({ labels: { upstream: name, endpoint: address }, value: count })),
      ),
    ),
    counter(
      "causeway_rebalanced_total",
      "Sessions closed because their endpoint had too many.",
      upstreams.flatMap(({ name, rebalance, rebalanced }) =>
        rebalance === undefined ? [] : [{ labels: { upstream: name }, value: rebalanced }],
      ),
    ),
    gauge(
      "causeway_upstream_panic",
      "Workers that ignore health because too few endpoints are usable.",
      upstreams.map(({ status: { name, isPanicking } }) => ({
        labels: { upstream: name },
        value: isPanicking ? 1 : 0,
      })),
    ),
  ];
}
