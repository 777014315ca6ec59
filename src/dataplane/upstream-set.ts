import type { EndpointVerdict } from "../core/endpoint-state.ts";
import { GatewayError } from "../core/errors.ts";
import type { MetricFamily, UpstreamStatus } from "../core/figures.ts";
import type { UpstreamSettings } from "../core/snapshot.ts";
import type { Wire } from "../core/wire.ts";
import type { SharedMemory } from "../kit/shared-memory.ts";
import type { TimerWheel } from "../kit/timer-wheel.ts";
import type { SecureDials } from "./certificate-tables.ts";
import { counter, gauge } from "./figures.ts";
import type { ForwardDial, ForwardParts } from "./forward/forward.ts";
import type { ClientConnection } from "./http1/client-connection.ts";
import type { Descriptors } from "./net/descriptors.ts";
import { dial } from "./net/dial.ts";
import type { WireKeeper } from "./net/socket-wire.ts";
import type { SessionIdentity } from "./relay/session.ts";
import { Upstream, type UpstreamParts } from "./upstreams/upstream.ts";

/** What upstreams share, and who hears of their endpoints. */
export type UpstreamSetOptions = {
  readonly wheel: TimerWheel;
  readonly descriptors: Descriptors;
  /** What workers share; without it this one counts for itself alone. */
  readonly memory?: SharedMemory | undefined;
  /** Hears of what must not happen, and cost one connection only. */
  readonly onFault: (error: unknown) => void;
  /** Hears of what becomes of endpoints. */
  readonly onChange: NonNullable<UpstreamParts["onChange"]>;
  readonly onNotice: NonNullable<UpstreamParts["onNotice"]>;
};

/** The upstreams of a gateway, which outlive snapshots. */
export class UpstreamSet {
  readonly forwardParts: ForwardParts;
  readonly #descriptors: Descriptors;
  readonly #upstreams = new Map<string, Upstream<ClientConnection>>();
  readonly #keeper: WireKeeper;
  #parts: UpstreamParts;
  #secure: SecureDials = new Map();
  /** By `upstream address`: those that say something, of endpoints that may not be configured yet. */
  readonly #verdicts = new Map<string, EndpointVerdict>();

  constructor(options: UpstreamSetOptions) {
    const { descriptors, onFault } = options;
    const { wheel, onChange, onNotice } = options;
    this.#parts = { wheel, onChange, onNotice, memory: options.memory };
    this.#descriptors = descriptors;
    this.#keeper = { onGone: () => descriptors.closed(), onFault };
    this.forwardParts = {
      wheel: options.wheel,
      dial: (dialOptions) => this.#dial(dialOptions),
      upstream: (name) => this.#upstreams.get(name),
    };
  }

  get status(): UpstreamStatus[] {
    return [...this.#upstreams.values()].map((upstream) => upstream.status);
  }

  /** How upstreams that speak TLS are spoken to. */
  get secure(): SecureDials {
    return this.#secure;
  }

  /** Counts a session that another process had, until that is disposed; undefined if its endpoint is not configured any more. */
  lendAgain({ upstream, endpoint }: SessionIdentity): Disposable | undefined {
    return this.#upstreams.get(upstream)?.lendAgain(endpoint);
  }

  /** What cookies are signed with, as far as upstreams are concerned that come from now on, or take over other settings. */
  set cookieKey(cookieKey: string | undefined) {
    if (cookieKey === this.#parts.cookieKey) return;
    this.#parts = { ...this.#parts, cookieKey };
    for (const upstream of this.#upstreams.values()) upstream.cookieKey = cookieKey;
  }

  [Symbol.iterator](): Iterator<Upstream<ClientConnection>> {
    return this.#upstreams.values();
  }

  /** Takes over new settings. */
  update(wanted: readonly UpstreamSettings[], secure: SecureDials = new Map()): void {
    const renewed = new Set(
      wanted.map(({ name }) => name).filter((name) => secure.get(name) !== this.#secure.get(name)),
    );
    this.#secure = secure;
    const names = new Set(wanted.map((settings) => settings.name));
    for (const [name, upstream] of this.#upstreams) {
      if (names.has(name)) continue;
      upstream.close();
      if (upstream.isUnused) this.#upstreams.delete(name);
    }
    for (const settings of wanted) {
      const upstream = this.#upstreams.get(settings.name);
      if (upstream === undefined) this.#upstreams.set(settings.name, new Upstream(settings, this.#parts));
      else upstream.update(settings);
      if (renewed.has(settings.name)) upstream?.renewPools();
    }
    for (const verdict of this.#verdicts.values()) this.#upstreams.get(verdict.upstream)?.judge(verdict);
  }

  /** All that was said of endpoints and still holds. */
  get verdicts(): readonly EndpointVerdict[] {
    return [...this.#verdicts.values()];
  }

  /** Takes over the settings of upstreams that are there. */
  refresh(upstreams: readonly UpstreamSettings[]): void {
    for (const settings of upstreams) this.#upstreams.get(settings.name)?.update(settings);
    for (const verdict of this.#verdicts.values()) this.#upstreams.get(verdict.upstream)?.judge(verdict);
  }

  /** Nothing is known any more of endpoints that these verdicts do not speak of. */
  forgetAllBut(verdicts: readonly EndpointVerdict[]): void {
    const kept = new Set(verdicts.map(({ upstream, address }) => `${upstream} ${address}`));
    const others = [...this.#verdicts].filter(([key]) => !kept.has(key));
    this.judge(others.map(([, verdict]) => ({ ...verdict, health: "unchecked", isDraining: false })));
  }

  /** Takes over what the control process says of endpoints. */
  judge(verdicts: readonly EndpointVerdict[]): void {
    for (const verdict of verdicts) {
      const key = `${verdict.upstream} ${verdict.address}`;
      if (verdict.health === "unchecked" && !verdict.isDraining) this.#verdicts.delete(key);
      else this.#verdicts.set(key, verdict);
      this.#upstreams.get(verdict.upstream)?.judge(verdict);
    }
  }

  sessionEnded(
    { upstream, endpoint }: SessionIdentity,
    how: { readonly isLost: boolean; readonly ageMs: number },
  ): void {
    this.#upstreams.get(upstream)?.sessionEnded(endpoint, how);
  }

  /** Lets go of idle connections that are too old. `now` in milliseconds. */
  expire(now: number): void {
    for (const [name, upstream] of this.#upstreams) {
      upstream.expire(now);
      if (upstream.isUnused) this.#upstreams.delete(name);
    }
  }

  families(): MetricFamily[] {
    const rows = this.status.flatMap(({ name, endpoints }) => {
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
      counter(
        "causeway_upstream_retries_total",
        "Exchanges tried on another endpoint, and those that were not because the budget was used up.",
        [...this.#upstreams.values()].flatMap(({ name, retries }) => [
          { labels: { upstream: name, result: "tried" }, value: retries.tried },
          { labels: { upstream: name, result: "over_budget" }, value: retries.over_budget },
        ]),
      ),
      counter(
        "causeway_upstream_resumptions_total",
        "Sessions that had lost their upstream, on routes that resume them, by what became of them.",
        [...this.#upstreams.values()].flatMap(({ name, resumptions }) =>
          Object.entries(resumptions).map(([result, value]) => ({ labels: { upstream: name, result }, value })),
        ),
      ),
      counter(
        "causeway_upstream_refused_total",
        "Exchanges that a limit of the upstream, or of all its endpoints, refused.",
        [...this.#upstreams.values()].flatMap(({ name, refusals }) =>
          Object.entries(refusals).map(([limit, value]) => ({ labels: { upstream: name, limit }, value })),
        ),
      ),
      counter(
        "causeway_sticky_total",
        "Exchanges by what their cookie came to: new (none), kept, moved (its endpoint takes nothing new), tampered.",
        [...this.#upstreams.values()].flatMap(({ name, stickyCounts = {} }) =>
          Object.entries(stickyCounts).map(([result, value]) => ({ labels: { upstream: name, result }, value })),
        ),
      ),
      counter(
        "causeway_keyless_total",
        "Exchanges that lack the key by which their endpoint is to be chosen; they are balanced without it.",
        [...this.#upstreams.values()].flatMap(({ name, keyless }) =>
          keyless === undefined ? [] : [{ labels: { upstream: name }, value: keyless }],
        ),
      ),
      gauge(
        "causeway_endpoint_surplus",
        "Sessions above its share that an endpoint has, of an upstream with rebalance.",
        [...this.#upstreams.values()].flatMap(({ name, surplus }) =>
          surplus.map(({ address, count }) => ({ labels: { upstream: name, endpoint: address }, value: count })),
        ),
      ),
      counter(
        "causeway_rebalanced_total",
        "Sessions closed because their endpoint had too many.",
        [...this.#upstreams.values()].flatMap(({ name, rebalance, rebalanced }) =>
          rebalance === undefined ? [] : [{ labels: { upstream: name }, value: rebalanced }],
        ),
      ),
      gauge(
        "causeway_upstream_panic",
        "Workers that ignore health because too few endpoints are usable.",
        this.status.map(({ name, isPanicking }) => ({ labels: { upstream: name }, value: isPanicking ? 1 : 0 })),
      ),
    ];
  }

  #dial({ upstream, to, receiver, wheel, timeoutMs }: ForwardDial): Promise<Wire> {
    if (this.#descriptors.isExhausted) throw new GatewayError("overloaded", "the gateway has no file descriptors left");
    this.#descriptors.opened();
    const secure = to.isSecure ? this.#secure.get(upstream) : undefined;
    return dial({ to, receiver, wheel, timeoutMs, secure, keeper: this.#keeper });
  }
}
