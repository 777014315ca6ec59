import type { SessionSettings } from "../../core/handover.ts";
import type { Leg } from "./leg.ts";

/** An open session, as far as its time is concerned. All times are milliseconds of the wheel. */
export type Watched = { readonly client: Leg; readonly upstream: Leg; readonly openedAt: number };

type Keepalive = SessionSettings["keepalive"];

/** What has run out: its life, its time without traffic, or the patience with a leg that answers no pings. */
export function findOverdue(
  { client, upstream, openedAt }: Watched,
  { timeouts, keepalive }: SessionSettings,
  now: number,
): "lifetime" | "idle" | Leg | undefined {
  if (timeouts.lifetimeMs > 0 && now >= openedAt + timeouts.lifetimeMs) return "lifetime";
  const activeAt = Math.max(client.activeAt, upstream.activeAt);
  if (timeouts.idleMs > 0 && now >= activeAt + timeouts.idleMs) return "idle";
  if (isDead(client, keepalive, now)) return client;
  return isDead(upstream, keepalive, now) ? upstream : undefined;
}

/** Pings the peer of a leg if nothing has come from it for as long as the pings are apart. */
export function pingIfSilent(leg: Leg, { pingMs }: Keepalive, now: number): void {
  if (pingMs > 0 && !leg.isPaused && now >= Math.max(lifeSign(leg), leg.pingedAt) + pingMs) leg.ping();
}

/** When anything can have run out at the earliest, or a ping is due; Infinity if nothing ever does. */
export function nextLook(
  { client, upstream, openedAt }: Watched,
  { timeouts, keepalive }: SessionSettings,
  now: number,
): number {
  let due = Number.POSITIVE_INFINITY;
  if (keepalive.pingMs > 0) due = Math.min(nextPing(client, now, keepalive), nextPing(upstream, now, keepalive));
  if (timeouts.idleMs > 0) due = Math.min(due, Math.max(client.activeAt, upstream.activeAt) + timeouts.idleMs);
  if (timeouts.lifetimeMs > 0) due = Math.min(due, openedAt + timeouts.lifetimeMs);
  return due;
}

/** A leg that is paused cannot be heard, and one that still takes bytes is slow, not dead. */
function isDead(leg: Leg, { pingMs, misses }: Keepalive, now: number): boolean {
  return pingMs > 0 && !leg.isPaused && now >= lifeSign(leg) + pingMs * misses;
}

/** The last moment at which the peer showed that it lives: it sent something, or its system took something. */
function lifeSign(leg: Leg): number {
  return Math.max(leg.seenAt, leg.tookAt);
}

function nextPing(leg: Leg, now: number, keepalive: Keepalive): number {
  if (leg.isPaused) return now + keepalive.pingMs;
  const dead = lifeSign(leg) + keepalive.pingMs * keepalive.misses;
  return Math.min(dead, Math.max(lifeSign(leg), leg.pingedAt) + keepalive.pingMs);
}
