import type { MetricFamily } from "../core/figures.ts";
import { formatPeer } from "../core/peer-text.ts";
import type { SessionFilter, SessionSummary } from "../core/session.ts";
import type { PeerAddress } from "../core/wire.ts";
import { counter, gauge } from "./figures.ts";
import type { Leg } from "./relay/leg.ts";
import type { Session } from "./relay/session.ts";

/** What ended sessions have carried in one direction, and how long reading was held back (ms). */
type Totals = {
  text: number;
  binary: number;
  continuation: number;
  ping: number;
  pong: number;
  close: number;
  messages: number;
  bytes: number;
  pausedMs: number;
};

/** The open sessions of a gateway, and the sums over those that have ended. */
export class SessionRegistry {
  readonly #sessions = new Map<string, Session>();
  readonly #ended = { client: emptyTotals(), upstream: emptyTotals() };
  /** All that were ever opened. */
  opened = 0;

  get size(): number {
    return this.#sessions.size;
  }

  add(session: Session): void {
    this.opened++;
    this.#sessions.set(session.identity.id, session);
  }

  /** One that another process had opened, and counted as opened. */
  adopt(session: Session): void {
    this.#sessions.set(session.identity.id, session);
  }

  /** One that goes on in another process, which counts from now on what it carries. */
  letGo(session: Session): void {
    this.#sessions.delete(session.identity.id);
  }

  remove(session: Session): void {
    this.#sessions.delete(session.identity.id);
    addTotals(this.#ended.client, session.client);
    addTotals(this.#ended.upstream, session.upstream);
  }

  /** Those that a filter means, oldest first. */
  find(filter: SessionFilter): Session[] {
    if (filter.id !== undefined) {
      const session = this.#sessions.get(filter.id);
      return session !== undefined && matches(session, filter) ? [session] : [];
    }
    return [...this.#sessions.values()].filter((session) => matches(session, filter));
  }

  list(filter: SessionFilter, limit: number): { items: SessionSummary[]; total: number } {
    const found = this.find(filter);
    return { items: found.slice(0, limit).map((session) => session.summary()), total: found.length };
  }

  countBy(pick: (session: Session) => string | number): Record<string, number> {
    const counts = new Map<string, number>();
    for (const session of this.#sessions.values()) {
      const key = String(pick(session));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return Object.fromEntries(counts);
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#sessions.values();
  }

  families(): MetricFamily[] {
    const client = { ...this.#ended.client };
    const upstream = { ...this.#ended.upstream };
    const queued = { client: 0, upstream: 0 };
    let closing = 0;
    for (const session of this.#sessions.values()) {
      addTotals(client, session.client);
      addTotals(upstream, session.upstream);
      queued.client += session.client.wire.queued;
      queued.upstream += session.upstream.wire.queued;
      if (session.isClosing) closing++;
    }
    const sides = [
      ["from_client", client],
      ["from_upstream", upstream],
    ] as const;
    const each = (pick: (totals: Totals) => number) =>
      sides.map(([direction, totals]) => ({ labels: { direction }, value: pick(totals) }));
    const routes = Object.entries(this.countBy((session) => session.identity.route));
    const opcodes = ["text", "binary", "continuation", "ping", "pong", "close"] as const;
    return [
      gauge(
        "causeway_sessions_open",
        "Open sessions, those that are closing included.",
        routes.map(([route, value]) => ({ labels: { route }, value })),
      ),
      gauge("causeway_sessions_closing", "Sessions in their closing handshake.", [{ labels: {}, value: closing }]),
      counter("causeway_sessions_opened_total", "Sessions ever opened.", [{ labels: {}, value: this.opened }]),
      counter(
        "causeway_frames_total",
        "Frames relayed or answered, by opcode.",
        sides.flatMap(([direction, totals]) =>
          opcodes.map((opcode) => ({ labels: { direction, opcode }, value: totals[opcode] })),
        ),
      ),
      counter(
        "causeway_messages_total",
        "Whole messages relayed.",
        each((totals) => totals.messages),
      ),
      counter(
        "causeway_payload_bytes_total",
        "Payload bytes of data frames.",
        each((totals) => totals.bytes),
      ),
      counter(
        "causeway_backpressure_seconds_total",
        "How long reading from this side was stopped because the other side was slow.",
        each((totals) => totals.pausedMs / 1000),
      ),
      gauge("causeway_queued_bytes", "Bytes that wait for a slow peer.", [
        { labels: { towards: "client" }, value: queued.client },
        { labels: { towards: "upstream" }, value: queued.upstream },
      ]),
    ];
  }
}

function emptyTotals(): Totals {
  return { text: 0, binary: 0, continuation: 0, ping: 0, pong: 0, close: 0, messages: 0, bytes: 0, pausedMs: 0 };
}

function addTotals(totals: Totals, leg: Leg): void {
  const { scanner } = leg;
  totals.text += scanner.text;
  totals.binary += scanner.binary;
  totals.continuation += scanner.continuations;
  totals.ping += scanner.pings;
  totals.pong += scanner.pongs;
  totals.close += leg.closeReceived === undefined ? 0 : 1;
  totals.messages += scanner.messages;
  totals.bytes += scanner.bytes;
  totals.pausedMs += leg.pausedMs;
}

function matches(session: Session, filter: SessionFilter): boolean {
  const { identity } = session;
  if (filter.route !== undefined && identity.route !== filter.route) return false;
  if (filter.upstream !== undefined && identity.upstream !== filter.upstream) return false;
  if (filter.endpoint !== undefined && identity.endpoint !== filter.endpoint) return false;
  if (filter.listener !== undefined && identity.listener !== filter.listener) return false;
  if (filter.host !== undefined && identity.host !== filter.host) return false;
  if (filter.state !== undefined && (filter.state === "closing") !== session.isClosing) return false;
  return filter.client === undefined || isClient(identity.client, filter.client);
}

function isClient(client: PeerAddress, wanted: string): boolean {
  return formatPeer(client) === wanted || client.address === wanted.replace(/^\[|\]$/g, "");
}
