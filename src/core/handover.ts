import { type Columns, fromColumns, toColumns } from "../kit/columns.ts";
import type { DrainOrder } from "./drain-order.ts";
import type { EndpointVerdict } from "./endpoint-state.ts";
import type { ListenerStatus } from "./figures.ts";
import { formatPeer, parsePeer } from "./peer-text.ts";
import type { EndReason, SessionEnd } from "./session.ts";
import type { RouteSettings, Snapshot } from "./snapshot.ts";
import type { PeerAddress } from "./wire.ts";
import type { SnapshotTerms } from "./worker-protocol.ts";

/** The version of all that is written down here. A process that reads another one refuses, and nothing is handed over. */
export const handoverFormat = 2;

/** A wire at rest. Its descriptor crosses beside the rest, in the order in which wires are met in a lot. */
export type WireState = {
  readonly peer: PeerAddress;
  /** What the kernel has not taken yet, in base64. */
  readonly queued: string;
  /** Our direction ends, or has ended, once that is sent. */
  readonly isEnding: boolean;
  /** The peer's FIN has come and was told. */
  readonly hasPeerEnded: boolean;
};

/** Where a scanner stands in its stream. */
export type ScannerState = {
  readonly messages: number;
  readonly frames: number;
  readonly bytes: number;
  readonly text: number;
  readonly binary: number;
  readonly continuations: number;
  readonly pings: number;
  readonly pongs: number;
  /** Payload bytes of the current data frame that are still to come. */
  readonly remaining: number;
  readonly isFragmented: boolean;
  readonly isOver: boolean;
  readonly isInterrupted: boolean;
  /** The beginning of a header or control frame, in base64. */
  readonly held: string;
};

/** One side of a session. Moments are written as how long ago they were (ms), because clocks do not cross. */
export type LegState = {
  /** Absent if the wire is gone. */
  readonly wire?: WireState;
  readonly scanner: ScannerState;
  readonly seenAgo: number;
  readonly activeAgo: number;
  readonly tookAgo: number;
  readonly pingedAgo: number;
  readonly pausedAgo: number;
  readonly pausedMs: number;
  readonly isPaused: boolean;
  readonly isEnded: boolean;
  readonly isWrittenOff: boolean;
  readonly roundTripMs?: number;
  readonly closeReceived?: number;
  readonly closeReason: string;
  readonly closeSent?: number;
  /** A Close that waits for a frame boundary: the frame in base64, and its code. */
  readonly pendingClose?: { readonly frame: string; readonly code: number };
  /** A ping waits for a frame boundary, which the other side's scanner says too: its `isInterrupted` is what is read. */
  readonly isPingPending: boolean;
  /** Of the ping that waits for its pong; 0 if none does. */
  readonly pingNumber: number;
};

/** Who and what a session is; it stays as it was when the session opened. */
export type SessionIdentity = Omit<CrossingIdentity, "client"> & {
  /** Who asked. */
  readonly client: PeerAddress;
};

/** The same as it is written down. */
export type CrossingIdentity = {
  readonly id: string;
  readonly requestId: string;
  readonly route: string;
  readonly upstream: string;
  readonly endpoint: string;
  readonly listener: string;
  /** `address:port` of who asked. */
  readonly client: string;
  readonly host: string;
  readonly target: string;
  readonly protocol: string | undefined;
  /** Unix milliseconds. */
  readonly openedAt: number;
  readonly revision: number;
};

/** What a session keeps of the route it was opened with. */
export type SessionSettings = Pick<RouteSettings, "timeouts" | "keepalive" | "closeCodes">;

/** How a closing session came to close. */
export type ClosingState = {
  readonly reason: EndReason;
  readonly initiator: SessionEnd["initiator"];
  readonly detail: string | undefined;
};

/** A session at rest. */
export type SessionState = {
  readonly identity: CrossingIdentity;
  readonly settings: SessionSettings;
  readonly mayUseReservedBits: boolean;
  readonly openedAgo: number;
  readonly closing?: ClosingState;
  readonly closeReason: string;
  readonly hasFailed: boolean;
  readonly isTearingDown: boolean;
  readonly closeTimerAgo: number;
  /** A Close that a change of the configuration has in store for it, in so many milliseconds. */
  readonly due?: { readonly inMs: number; readonly order: CloseOrder };
  readonly client: LegState;
  readonly upstream: LegState;
};

/** A client's connection between two requests. */
export type ConnectionState = {
  readonly listener: string;
  readonly wire: WireState;
  /** What has come of its next request, in base64. */
  readonly input: string;
  /** True before its first request. */
  readonly isNew: boolean;
};

/** Sessions and connections that cross together. */
export type Lot = { readonly sessions: readonly SessionState[]; readonly connections: readonly ConnectionState[] };

/** A lot as it crosses: thousands of sessions differ in little. */
export type PackedLot = { readonly sessions: Columns; readonly connections: Columns };

/** Packs a lot for its way. */
export function packLot({ sessions, connections }: Lot): PackedLot {
  return { sessions: toColumns(sessions), connections: toColumns(connections) };
}

/** A lot that has come. */
export function unpackLot({ sessions, connections }: PackedLot): Lot {
  return { sessions: fromColumns<SessionState>(sessions), connections: fromColumns<ConnectionState>(connections) };
}

/** An identity as it is written down. */
export function writeIdentity(identity: SessionIdentity): CrossingIdentity {
  return { ...identity, client: formatPeer(identity.client) };
}

/** One that was written down. */
export function readIdentity(written: CrossingIdentity): SessionIdentity {
  return { ...written, client: parsePeer(written.client) };
}

/** A bound port; its descriptor crosses beside it. */
export type ListenerState = Omit<ListenerStatus, "connections">;

/** From a worker to its successor: one message each, beside descriptors on a socket of their own. */
export type ToSuccessor =
  /** What it shall be, before anything stops. The descriptors of the listeners come with it. */
  | {
      readonly type: "begin";
      readonly format: number;
      readonly snapshot: Snapshot;
      readonly terms: SnapshotTerms | undefined;
      readonly verdicts: readonly EndpointVerdict[];
      readonly drains: readonly DrainOrder[];
      readonly listeners: readonly ListenerState[];
    }
  /** The descriptors of its wires come with it. */
  | { readonly type: "lot"; readonly lot: PackedLot }
  /** That was all of this round. */
  | { readonly type: "adopt" }
  /** The predecessor has let go of what was adopted. */
  | { readonly type: "go"; readonly orders: readonly OrderFor[] };

/** From a successor to the worker before it. */
export type FromSuccessor =
  | {
      readonly type: "ready";
      readonly formats: readonly number[];
      /** The version in which it talks to control processes. */
      readonly protocol?: number;
    }
  /** It would serve if it had the ports. */
  | { readonly type: "begun" }
  /** It holds everything of this round, and waits. */
  | { readonly type: "adopted" }
  /** It accepts, and what it holds goes on. */
  | { readonly type: "serving" }
  | { readonly type: "failed"; readonly says: string };

/** How the gateway ends a session; `toUpstream` is `code` if it is not given. */
export type CloseOrder = {
  readonly reason: EndReason;
  readonly code: number;
  readonly text: string;
  readonly toUpstream?: number;
};

/** What was ordered for a session while it was on its way. */
export type OrderFor = { readonly session: string; readonly order: CloseOrder };
