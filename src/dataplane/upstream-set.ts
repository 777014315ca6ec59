import type { EndpointVerdict } from "../core/endpoint-state.ts";
import { GatewayError } from "../core/errors.ts";
import type { MetricFamily, UpstreamStatus } from "../core/figures.ts";
import type { UpstreamSettings } from "../core/snapshot.ts";
import type { Wire } from "../core/wire.ts";
import type { SharedMemory } from "../kit/shared-memory.ts";
import type { TimerWheel } from "../kit/timer-wheel.ts";
import type { SecureDials } from "./certificate-tables.ts";
import type { ForwardDial, ForwardParts } from "./forward/forward.ts";
import type { ClientConnection } from "./http1/client-connection.ts";
import type { Descriptors } from "./net/descriptors.ts";
import { dial } from "./net/dial.ts";
import type { WireKeeper } from "./net/socket-wire.ts";
import type { SessionIdentity } from "./relay/session.ts";
import { endpointFamilies, upstreamFamilies } from "./upstream-figures.ts";
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
      onFault,
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
    const upstreams = [...this.#upstreams.values()];
    return [...endpointFamilies(this.status), ...upstreamFamilies(upstreams)];
  }

  #dial({ upstream, to, receiver, wheel, timeoutMs, protocol }: ForwardDial): Promise<Wire> {
    if (this.#descriptors.isExhausted) throw new GatewayError("overloaded", "the gateway has no file descriptors left");
    this.#descriptors.opened();
    const secure = to.isSecure ? this.#secure.get(upstream) : undefined;
    return dial({ to, receiver, wheel, timeoutMs, secure, protocol, keeper: this.#keeper });
  }
}
