import type { DrainPlan } from "./worker-protocol.ts";

/** Whose sessions a drain ends; conditions hold together, and none means all sessions. */
export type DrainScope = { readonly route?: string; readonly listener?: string };

/**
 * A drain that somebody has asked for. It is in force until it is taken back: what it concerns gets no new sessions, also after the last
 * one has got its Close.
 */
export type DrainOrder = {
  readonly scope: DrainScope;
  /** Unix milliseconds: a worker that hears of it later has less of the window left. */
  readonly startedAt: number;
  readonly plan: DrainTerms;
};

/** How its sessions are ended. */
export type DrainTerms = Pick<DrainPlan, "windowMs" | "code" | "reason">;

/** True if a drain of `scope` concerns what comes through a listener to a route. */
export function isConcerned(scope: DrainScope, place: { readonly route: string; readonly listener: string }): boolean {
  if (scope.route !== undefined && scope.route !== place.route) return false;
  return scope.listener === undefined || scope.listener === place.listener;
}

/** Equal for scopes that mean the same. */
export function keyOfScope({ route, listener }: DrainScope): string {
  return JSON.stringify([route ?? null, listener ?? null]);
}
