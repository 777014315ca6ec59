import {
  type CloseOrder,
  type ClosingState,
  type SessionIdentity,
  type SessionSettings,
  type SessionState,
  writeIdentity,
} from "../../core/handover.ts";
import { formatPeer } from "../../core/peer-text.ts";
import type { SessionEnd, SessionSummary, Traffic } from "../../core/session.ts";
import type { RouteCloseCodes } from "../../core/snapshot.ts";
import type { Wire } from "../../core/wire.ts";
import { Timed, type TimerWheel } from "../../kit/timer-wheel.ts";
import type { Violation } from "./frame-scanner.ts";
import { closeCode } from "./frames.ts";
import { Leg, type LegOwner } from "./leg.ts";
import { type Closing, closingOf, describeEnd, unexplained } from "./session-end.ts";
import { findOverdue, nextLook, pingIfSilent } from "./vigil.ts";

export type { SessionIdentity };

/** What a session is made of, and who hears of it. */
export type SessionOptions = {
  readonly identity: SessionIdentity;
  /** The route it was opened with: timeouts, pings and close codes are read from here for as long as it lives. */
  readonly settings: SessionSettings;
  readonly client: Wire;
  readonly upstream: Wire;
  /** What the session has borrowed; disposed when it ends. */
  readonly scope: Disposable;
  readonly mayUseReservedBits: boolean;
  readonly wheel: TimerWheel;
  readonly observer: SessionObserver;
  /** Given if it goes on where one in another process has stopped; it is frozen then. */
  readonly state?: SessionState;
};

/** Hears what sessions live through. */
export interface SessionObserver {
  /** Called once, when both legs are gone. */
  onSessionEnd(session: Session, end: SessionEnd): void;
  onRoundTrip(side: "client" | "upstream", ms: number): void;
  /** An invariant of ours is broken; the session closes with 1011. */
  onFault(error: unknown): void;
}

/**
 * One open WebSocket through the gateway: two legs, and the closing handshake between the three of us. It is its own timer, because
 * small objects that live for hours between those that live for milliseconds are what keeps memory from being given back.
 */
export class Session extends Timed implements LegOwner {
  identity: SessionIdentity;
  /** How often it has gone on with another upstream connection. */
  resumptions = 0;
  readonly client: Leg;
  readonly upstream: Leg;
  readonly wheel: TimerWheel;
  readonly #settings: SessionOptions["settings"];
  readonly #observer: SessionObserver;
  readonly #scope: Disposable;
  /** Milliseconds of the wheel. */
  readonly openedAt: number;
  /** There is none while nobody closes. */
  #closing: Closing | undefined;
  #hasEnded = false;
  #hasFailed = false;
  /** The Close that it is to get by and by: when (ms of the wheel), and as long as that holds. */
  due: { readonly at: number; readonly order: CloseOrder; readonly holds: () => boolean } | undefined;
  /** Given while it is frozen, with what was ordered meanwhile. */
  #frozen: { order: CloseOrder | undefined } | undefined;

  constructor(options: SessionOptions) {
    super();
    const { wheel, mayUseReservedBits, state } = options;
    this.identity = options.identity;
    this.#settings = options.settings;
    this.wheel = wheel;
    this.#observer = options.observer;
    this.#scope = options.scope;
    const both = { owner: this, mayUseReservedBits };
    this.client = new Leg({ ...both, side: "client", wire: options.client, state: state?.client });
    this.upstream = new Leg({ ...both, side: "upstream", wire: options.upstream, state: state?.upstream });
    this.openedAt = wheel.clock() - (state?.openedAgo ?? 0);
    if (state !== undefined) this.#restore(state);
  }

  /** Begins to relay. Whoever held the wires gives them to the legs now. */
  start(): void {
    this.#armOpenTimer();
  }

  /** False for one that cannot leave this process. */
  get isMovable(): boolean {
    return !this.#hasEnded && this.client.isMovable && this.upstream.isMovable;
  }

  /** Stops, and says where it stands; the descriptors of its wires are added to `descriptors`. */
  freeze(descriptors: number[]): SessionState {
    this.#frozen ??= { order: undefined };
    this.wheel.disarm(this);
    const closing = this.#closing;
    const { timeouts, keepalive, closeCodes } = this.#settings;
    const now = this.wheel.clock();
    return {
      identity: writeIdentity(this.identity),
      settings: { timeouts, keepalive, closeCodes },
      mayUseReservedBits: this.client.scanner.rules.mayUseReservedBits,
      openedAgo: now - this.openedAt,
      ...(closing === undefined ? {} : { closing: closing.how }),
      closeReason: closing?.text ?? "",
      hasFailed: this.#hasFailed,
      isTearingDown: closing?.isTearingDown ?? false,
      closeTimerAgo: now - (closing?.timerArmedAt ?? now),
      ...(this.due?.holds() === true ? { due: { inMs: Math.max(0, this.due.at - now), order: this.due.order } } : {}),
      client: this.client.freeze(descriptors),
      upstream: this.upstream.freeze(descriptors),
    };
  }

  /** Goes on. */
  thaw(): void {
    const frozen = this.#frozen;
    if (frozen === undefined) return;
    this.#frozen = undefined;
    const { closeMs } = this.#settings.timeouts;
    const closing = this.#closing;
    if (closing === undefined) this.#armOpenTimer();
    else if (closeMs > 0) this.wheel.arm(this, Math.max(0, closing.timerArmedAt + closeMs - this.wheel.clock()));
    this.client.thaw();
    this.upstream.thaw();
    if (frozen.order !== undefined) this.close(frozen.order);
  }

  /** What was ordered since it was frozen. */
  get order(): CloseOrder | undefined {
    return this.#frozen?.order;
  }

  /** It goes on in another process. */
  letGo(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.client.letGo();
    this.upstream.letGo();
    this.#scope[Symbol.dispose]();
  }

  #restore(state: SessionState): void {
    this.#frozen = { order: undefined };
    this.#hasFailed = state.hasFailed;
    if (state.closing === undefined) return;
    this.#closing = {
      how: state.closing,
      text: state.closeReason,
      isTearingDown: state.isTearingDown,
      timerArmedAt: this.wheel.now - state.closeTimerAgo,
    };
  }

  /** How long it has been open (ms), by a clock that nobody sets; without the moments in which it changed hands. */
  get ageMs(): number {
    return this.wheel.clock() - this.openedAt;
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Ends the session with a Close frame in both directions. */
  close(how: CloseOrder): void {
    if (this.#frozen !== undefined) {
      this.#frozen.order ??= how;
      return;
    }
    if (this.#closing !== undefined || this.#hasEnded) return;
    this.#beginClosing({ reason: how.reason, initiator: "gateway", detail: undefined }, how.text);
    this.client.close(how.code, how.text);
    this.upstream.close(how.toUpstream ?? how.code, how.text);
    this.#settle();
  }

  /** Ends the session at once, without Close frames. */
  cut(): void {
    if (this.#hasEnded) return;
    const closing = this.#closing ?? unexplained();
    this.#closing = closing;
    this.client.cut();
    this.upstream.cut();
    this.#end(closing);
  }

  summary(): SessionSummary {
    const { identity, client, upstream } = this;
    const lastActivity = Math.max(client.activeAt, upstream.activeAt);
    const question = identity.target.indexOf("?");
    return {
      id: identity.id,
      requestId: identity.requestId,
      state: this.isClosing ? "closing" : "open",
      route: identity.route,
      upstream: identity.upstream,
      endpoint: identity.endpoint,
      listener: identity.listener,
      client: formatPeer(identity.client),
      host: identity.host,
      path: question < 0 ? identity.target : identity.target.slice(0, question),
      ...(identity.protocol === undefined ? {} : { protocol: identity.protocol }),
      openedAt: identity.openedAt,
      lastActivityAt: Math.round(identity.openedAt + Math.max(0, lastActivity - this.openedAt)),
      revision: identity.revision,
      fromClient: trafficOf(client),
      fromUpstream: trafficOf(upstream),
      queuedToClient: client.wire.queued,
      queuedToUpstream: upstream.wire.queued,
      ...(client.roundTripMs === undefined ? {} : { clientRttMs: client.roundTripMs }),
      ...(upstream.roundTripMs === undefined ? {} : { upstreamRttMs: upstream.roundTripMs }),
    };
  }

  onCloseReceived(leg: Leg, frame: Uint8Array): void {
    const code = leg.closeReceived ?? closeCode.none;
    this.#beginClosing({ reason: "closed", initiator: leg.side, detail: undefined }, leg.closeReason);
    leg.other.passClose(frame, code);
    // Nobody is left to answer this Close: we do.
    if (leg.other.isSettled) leg.close(code, leg.closeReason);
    this.#settle();
  }

  onViolation(leg: Leg, violation: Violation): void {
    const detail = `${violation.says}, from the ${leg.side}`;
    this.#beginClosing({ reason: "protocol_error", initiator: "gateway", detail }, violation.says);
    leg.close(violation.code, violation.says);
    leg.writeOff();
    leg.other.close(leg.side === "client" ? closeCode.goingAway : closeCode.badGateway, "");
    this.#settle();
  }

  onLegEnded(leg: Leg): void {
    if (leg.closeReceived === undefined && !leg.isWrittenOff) this.#lose(leg, "ended without a Close frame");
    this.#settle();
  }

  onLegGone(leg: Leg, error: Error | undefined): void {
    if (leg.closeReceived === undefined && !leg.isWrittenOff)
      this.#lose(leg, error?.message ?? "ended without a Close frame");
    this.#settle();
  }

  onCloseSent(): void {
    this.#settle();
  }

  onRoundTrip(leg: Leg, ms: number): void {
    this.#observer.onRoundTrip(leg.side, ms);
  }

  /** Only this session pays for it; a second fault ends it without a word. */
  onFault(error: unknown): void {
    this.#observer.onFault(error);
    if (this.#hasFailed) return this.cut();
    this.#hasFailed = true;
    const detail = error instanceof Error ? error.message : String(error);
    this.#beginClosing({ reason: "internal", initiator: "gateway", detail }, "");
    try {
      this.client.close(closeCode.internal, "");
      this.upstream.close(closeCode.internal, "");
      this.#settle();
    } catch (again) {
      this.onFault(again);
    }
  }

  /** A peer will never send a Close: the other one gets its Close from us, or, in the middle of a frame, the bare end. */
  #lose(leg: Leg, detail: string): void {
    leg.writeOff();
    const reason = leg.side === "client" ? "client_lost" : "upstream_lost";
    this.#beginClosing({ reason, initiator: leg.side, detail }, "");
    const { other } = leg;
    const lostCode = leg.side === "client" ? closeCode.goingAway : this.#settings.closeCodes.upstreamLost;
    other.close(other.closeReceived ?? lostCode, other.closeReceived === undefined ? "" : other.closeReason);
    if (other.isStuckInFrame) other.endInFrame();
  }

  #beginClosing(how: ClosingState, text: string): void {
    if (this.#closing !== undefined) return;
    this.#closing = closingOf(how, text);
    this.#armCloseTimer(this.#closing);
  }

  /** Looks what the closing has come to. The side that plays server ends its TCP first (RFC 6455 §7.1.1). */
  #settle(): void {
    const closing = this.#closing;
    if (this.#hasEnded || closing === undefined) return;
    const { client, upstream } = this;
    if (client.isSettled) client.wire.end();
    if (upstream.isEnded && upstream.isSettled) upstream.wire.end();
    if (upstream.isWrittenOff && upstream.closeSent !== undefined) upstream.wire.end();
    if (client.isGone && upstream.isGone) return this.#end(closing);
    if (!closing.isTearingDown && client.isSettled && upstream.isSettled) {
      closing.isTearingDown = true;
      this.#armCloseTimer(closing);
    }
    const { partingMs } = client.wire;
    if (partingMs === undefined || !closing.isTearingDown || !upstream.isGone || client.wire.queued > 0) return;
    this.wheel.arm(this, partingMs);
  }

  #armCloseTimer(closing: Closing): void {
    const { closeMs } = this.#settings.timeouts;
    closing.timerArmedAt = this.wheel.now;
    if (closeMs > 0) this.wheel.arm(this, closeMs);
    else this.wheel.disarm(this);
  }

  /** Looks what has become too late. */
  fire(): void {
    try {
      this.#onTimer();
    } catch (error) {
      this.onFault(error);
    }
  }

  #onTimer(): void {
    const closing = this.#closing;
    if (closing === undefined) return this.#onOpenTimer();
    // A slow reader that still takes what was sent before the Close gets it all.
    const { timerArmedAt } = closing;
    if (takesMore(this.client, timerArmedAt) || takesMore(this.upstream, timerArmedAt))
      return this.#armCloseTimer(closing);
    this.client.cut();
    this.upstream.cut();
    this.#end(closing);
  }

  #onOpenTimer(): void {
    const now = this.wheel.clock();
    const overdue = findOverdue(this, this.#settings, now);
    if (overdue instanceof Leg) return this.#bury(overdue);
    if (overdue !== undefined) return this.#expire(overdue, this.#settings.closeCodes);
    pingIfSilent(this.client, this.#settings.keepalive, now);
    pingIfSilent(this.upstream, this.#settings.keepalive, now);
    this.#armOpenTimer();
  }

  #expire(what: "idle" | "lifetime", codes: RouteCloseCodes): void {
    const reason = what === "idle" ? "idle_timeout" : "lifetime";
    this.close({ reason, code: codes[what], text: what === "idle" ? "idle timeout" : "lifetime over" });
  }

  #bury(leg: Leg): void {
    this.#beginClosing({ reason: "dead_peer", initiator: "gateway", detail: `the ${leg.side} answers no pings` }, "");
    leg.writeOff();
    leg.cut();
    leg.other.close(leg.side === "client" ? closeCode.goingAway : this.#settings.closeCodes.upstreamLost, "");
    if (leg.other.isStuckInFrame) leg.other.endInFrame();
    this.#settle();
  }

  #armOpenTimer(): void {
    const now = this.wheel.clock();
    const due = nextLook(this, this.#settings, now);
    if (due !== Number.POSITIVE_INFINITY) this.wheel.arm(this, Math.max(0, due - now));
  }

  #end(closing: Closing): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.wheel.disarm(this);
    try {
      this.#observer.onSessionEnd(this, describeEnd(this, closing));
    } finally {
      this.#scope[Symbol.dispose]();
    }
  }
}

/** The counters of what a leg's peer sent. */
export function trafficOf(leg: Leg): Traffic {
  const { messages, frames, bytes, pings, pongs } = leg.scanner;
  return { messages, frames, bytes, pings, pongs };
}

/** True if its peer has taken something since a moment (ms of the wheel), and there is more for it. */
function takesMore(leg: Leg, since: number): boolean {
  return !leg.isGone && leg.wire.queued > 0 && leg.tookAt > since;
}
