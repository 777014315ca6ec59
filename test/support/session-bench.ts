import { readIdentity, type SessionState } from "../../src/core/handover.ts";
import type { SessionEnd } from "../../src/core/session.ts";
import { Session, type SessionIdentity, type SessionOptions } from "../../src/dataplane/relay/session.ts";
import { TimerWheel } from "../../src/kit/timer-wheel.ts";
import { FakeWire } from "./fake-wire.ts";
import { type FrameParts, makeFrame, type ReadFrame, readFrames, someMask } from "./frames.ts";

export type BenchOptions = {
  readonly timeouts?: Partial<SessionOptions["settings"]["timeouts"]>;
  readonly keepalive?: SessionOptions["settings"]["keepalive"];
  readonly mayUseReservedBits?: boolean;
  readonly wheel?: TimerWheel;
  readonly identity?: Partial<SessionIdentity>;
};

/** A session between two fake wires, on a simulated clock. */
export class SessionBench {
  readonly client = new FakeWire();
  readonly upstream = new FakeWire();
  readonly wheel: TimerWheel;
  session: Session;
  readonly #options: SessionOptions;
  readonly ends: SessionEnd[] = [];
  readonly roundTrips: string[] = [];
  readonly faults: unknown[] = [];
  disposals = 0;

  constructor(options: BenchOptions = {}) {
    this.wheel = options.wheel ?? new TimerWheel({ clock: "simulated" });
    const settings = {
      timeouts: { connectMs: 0, handshakeMs: 0, idleMs: 0, lifetimeMs: 0, closeMs: 5000, requestMs: 0 },
      keepalive: options.keepalive ?? { pingMs: 30_000, misses: 3 },
      closeCodes: { idle: 4001, lifetime: 4002, upstreamLost: 1014 },
    };
    this.#options = {
      identity: { ...identity, ...options.identity },
      settings: { ...settings, timeouts: { ...settings.timeouts, ...options.timeouts } },
      client: this.client,
      upstream: this.upstream,
      scope: { [Symbol.dispose]: () => this.disposals++ },
      mayUseReservedBits: options.mayUseReservedBits ?? false,
      wheel: this.wheel,
      observer: {
        onSessionEnd: (_session, end) => this.ends.push(end),
        onRoundTrip: (side, ms) => this.roundTrips.push(`${side} ${ms}`),
        onFault: (error) => this.faults.push(error),
      },
    };
    this.session = new Session(this.#options);
    this.client.receiver = this.session.client;
    this.upstream.receiver = this.session.upstream;
    this.session.start();
  }

  /** Hands the session over as if to another process: what is written down crosses as text, and the wires stay open. */
  move(): void {
    const state: SessionState = JSON.parse(JSON.stringify(this.session.freeze([])));
    const { order } = this.session;
    this.session.letGo();
    const identity = readIdentity(state.identity);
    this.session = new Session({ ...this.#options, identity, settings: state.settings, state });
    this.session.thaw();
    if (order !== undefined) this.session.close(order);
  }

  /** The client sends a frame, masked as it has to be. */
  fromClient(parts: FrameParts): void {
    this.client.receive(clientFrame(parts));
  }

  fromUpstream(parts: FrameParts): void {
    this.upstream.receive(makeFrame(parts));
  }

  /** What the client and the upstream were sent; throws if it is not whole frames. */
  get toClient(): ReadFrame[] {
    return wholeFrames(this.client.sent);
  }

  get toUpstream(): ReadFrame[] {
    return wholeFrames(this.upstream.sent);
  }

  /** Moves the clock on by `ms`, in steps of a second at most; `each` is called after every step. */
  pass(ms: number, each: () => void = () => {}): void {
    const until = this.wheel.clock() + ms;
    while (this.wheel.clock() < until) {
      this.wheel.advance(Math.min(until, this.wheel.clock() + 1000));
      each();
    }
  }

  /** Answers on both sides, like `ws` or a browser would, every ping that came since the last call. */
  answerPings(): void {
    for (const ping of this.#newPings(this.client)) this.fromClient({ opcode: 10, payload: ping });
    for (const ping of this.#newPings(this.upstream)) this.fromUpstream({ opcode: 10, payload: ping });
  }

  readonly #read = new Map<FakeWire, number>();

  /** Only what was written since the last call is read: a day of pings is long. */
  #newPings(wire: FakeWire): Buffer[] {
    const fresh = wire.sentSince(this.#read.get(wire) ?? 0);
    this.#read.set(wire, wire.writes);
    return wholeFrames(fresh)
      .filter((frame) => frame.opcode === 9)
      .map((frame) => frame.payload);
  }
}

/** A frame as a client sends it. */
export function clientFrame(parts: FrameParts): Buffer {
  return makeFrame({ mask: someMask, ...parts });
}

function wholeFrames(bytes: Uint8Array): ReadFrame[] {
  const { frames, rest } = readFrames(bytes);
  if (rest.length > 0) throw new Error(`${rest.length} bytes after the last whole frame`);
  return frames;
}

const identity: SessionIdentity = {
  id: "0123456789abcdef",
  requestId: "r",
  route: "chat",
  upstream: "app",
  endpoint: "192.0.2.8:80",
  listener: "web",
  client: { address: "192.0.2.7", port: 50_007 },
  host: "example.com",
  target: "/chat?x=1",
  protocol: undefined,
  openedAt: 0,
  revision: 1,
};
