import type { DrainTerms } from "./drain-order.ts";

/**
 * What an endpoint is at run time. `healthy` and `unchecked` (no active check has come to an end yet, or there are none) take new
 * exchanges, and `suspected` where too few others do; the rest take none, except that in panic mode `unhealthy` and `ejected` do.
 */
export type EndpointState =
  | "healthy"
  | "unchecked"
  /** Its newest active checks failed or are not answered, but not as often as it takes to call it unhealthy. */
  | "suspected"
  /** Active checks failed. */
  | "unhealthy"
  /** Its own traffic failed (passive checks), so it rests for a while. */
  | "ejected"
  /** Asked for by an operator, or of weight 0: no new exchanges, and its sessions end within the drain window. */
  | "draining"
  /** No longer configured, but its sessions are still open. */
  | "leaving";

/** What the control process says of one endpoint: the verdict of active checks, and whether an operator drains it. */
export type EndpointVerdict = {
  readonly upstream: string;
  /** As `formatAddress` makes it. */
  readonly address: string;
  readonly health: "unchecked" | "healthy" | "unhealthy";
  /** True while the newest checks speak against an endpoint that is healthy so far. */
  readonly isSuspected?: boolean;
  readonly isDraining: boolean;
  /** How its sessions are ended, if the operator has said so. */
  readonly drain?: DrainTerms;
  /** Why it is so, in words. */
  readonly why?: string;
  /** Since when `health` holds: Unix milliseconds. */
  readonly since: number;
};

/** True for a state in which an endpoint may be offered outside panic mode. */
export function takesNew(state: EndpointState): boolean {
  return state === "healthy" || state === "unchecked" || state === "suspected";
}

/** What a worker finds out by itself about an upstream, for the log. */
export type UpstreamNotice = { readonly upstream: string } & (
  | { readonly event: "endpoint-ejected"; readonly address: string; readonly why: string; readonly forMs: number }
  | { readonly event: "endpoint-back"; readonly address: string }
  /** Too few endpoints are usable, so health is ignored; and the end of that. */
  | { readonly event: "upstream-panic" | "upstream-calm"; readonly usable: number; readonly of: number }
);
