import type { AccessSubject, HttpRecord, SessionCloseRecord, SessionOpenRecord } from "../core/access-record.ts";
import type { GatewayError } from "../core/errors.ts";
import type { Outcome } from "../core/exchange.ts";
import { formatPeer } from "../core/peer-text.ts";
import type { SessionEnd } from "../core/session.ts";
import type { PeerAddress } from "../core/wire.ts";
import type { LiveExchange } from "./live-exchange.ts";
import { type Session, type SessionIdentity, trafficOf } from "./relay/session.ts";

/** What could not be read as a request. */
export type BadRequest = {
  readonly error: GatewayError;
  readonly peer: PeerAddress;
  readonly listener: string;
  readonly requestId: string;
};

/** True if it asked for a WebSocket, in a way that opens none. */
export function wasHandshake({ code }: GatewayError): boolean {
  return code === "bad_handshake" || code === "upgrade_required";
}

/** The record of what was answered without ever being an exchange. */
export function badRequestRecord({ error, peer, listener, requestId }: BadRequest): HttpRecord {
  return {
    kind: "http",
    at: Date.now(),
    requestId,
    listener,
    client: formatPeer(peer),
    host: "",
    method: "",
    target: "",
    isHandshake: wasHandshake(error),
    status: error.status,
    durationMs: 0,
    bytesIn: 0,
    bytesOut: 0,
    tries: 0,
    error: error.code,
    cause: error.message,
  };
}

/** How an exchange ended that did not become a session; `error` is what made the gateway answer by itself. */
export type ExchangeEnd = {
  readonly outcome: Outcome;
  readonly durationMs: number;
  readonly error: GatewayError | undefined;
};

/** The record of an exchange that has ended without a session. */
export function httpRecord(exchange: LiveExchange, { outcome, durationMs, error }: ExchangeEnd): HttpRecord {
  const { notes } = exchange;
  return {
    kind: "http",
    at: Date.now(),
    ...exchange.describe(),
    isHandshake: exchange.kind === "handshake",
    status: outcome.status,
    durationMs,
    bytesIn: outcome.bytesIn,
    bytesOut: outcome.bytesOut,
    tries: notes.tries,
    ...(error === undefined ? {} : { error: error.code, cause: causeOf(error) }),
    ...(notes.report === undefined ? {} : { report: notes.report }),
  };
}

/** The record of a session that opens. */
export function sessionOpenRecord(session: Session, exchange: LiveExchange, handshakeMs: number): SessionOpenRecord {
  const { identity } = session;
  const { tries, report } = exchange.notes;
  const subject = subjectOf(identity);
  const record = { kind: "session-open", at: identity.openedAt, ...subject, handshakeMs, tries } as const;
  return report === undefined ? record : { ...record, report };
}

/** The record of a session that has ended. */
export function sessionCloseRecord(session: Session, end: SessionEnd, durationMs: number): SessionCloseRecord {
  return {
    kind: "session-close",
    at: Date.now(),
    ...subjectOf(session.identity),
    durationMs,
    end,
    fromClient: trafficOf(session.client),
    fromUpstream: trafficOf(session.upstream),
    ...(session.resumptions === 0 ? {} : { resumptions: session.resumptions }),
  };
}

/** What the records of a session say of it. */
function subjectOf(
  identity: SessionIdentity,
): AccessSubject & { readonly session: string; readonly protocol?: string } {
  const { id, requestId, listener, client, host, target, route, upstream, endpoint, protocol } = identity;
  const from = { session: id, requestId, listener, client: formatPeer(client) };
  const subject = { ...from, host, method: "GET", target, route, upstream, endpoint };
  return protocol === undefined ? subject : { ...subject, protocol };
}

/** The whole chain of causes, for the operator. */
function causeOf(error: GatewayError): string {
  const says = [error.message];
  for (let { cause } = error; cause instanceof Error; cause = cause.cause) says.push(cause.message);
  return says.join(": ");
}
