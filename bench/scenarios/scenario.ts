import type { Failure, Sample } from "../measure/sample.ts";
import type { ProxyName } from "../proxies/contender.ts";
import type { Rig } from "../run/rig.ts";

/** How long a window takes (ms). */
export type Timing = { readonly warmupMs: number; readonly measureMs: number };

/** The figure that a scenario is about. */
export type Headline = {
  readonly title: string;
  readonly unit: "µs" | "bytes" | "per second";
  readonly better: "lower" | "higher";
  of(sample: Sample): number;
};

/** Measured while all proxies are up, in short windows. */
export type InTurn = {
  readonly kind: "in turn";
  /** Opens all connections. */
  open(rig: Rig): Promise<void>;
  window(rig: Rig, timing: Timing): Promise<Sample>;
  /** Ends all connections politely, and tells all that went wrong. */
  close(rig: Rig): Promise<readonly Failure[]>;
};

/** Measured while no other proxy is up. */
export type Alone = {
  readonly kind: "alone";
  measure(rig: Rig): Promise<Sample>;
};

/** One named thing to measure, the same for every proxy. */
export type Scenario = {
  readonly name: string;
  readonly title: string;
  /** What is counted, in the singular. */
  readonly operation: string;
  /** The script of `load/` that makes the load. */
  readonly loadScript: string;
  readonly payloadBytes: number;
  /** Over TLS: every handshake in full, or all but the first resumed. In the clear unless given. */
  readonly tls?: "full" | "resumed";
  /** How many workers or threads a proxy has: 1 unless given. With more of them it may use the core of the load as well. */
  readonly workers?: number;
  /** Who takes part, where that is not everybody that comes from elsewhere. */
  readonly contenders?: readonly ProxyName[];
  /** How many sessions or connections are open, or handshakes under way, at once. */
  readonly connections: number;
  readonly headline: Headline;
  /** What the ratio of our headline to theirs shall reach: at most where lower is better, at least where higher is. */
  readonly targets: Partial<Readonly<Record<ProxyName, number>>>;
  /** Is there something to learn from a run without proxy? */
  readonly isMeasuredDirectly: boolean;
  readonly measurement: InTurn | Alone;
};

/** How many descriptors a process needs for a scenario: a proxy has two connections a session. */
export function descriptorsFor({ connections }: Scenario): number {
  return 2 * connections + 400;
}

/** Does this proxy take part? What load and echo server reach without one is told once: it explains the other figures and is compared with none. */
export function takesPart(name: ProxyName, { contenders, isMeasuredDirectly }: Scenario, round: number): boolean {
  if (name === "direct") return isMeasuredDirectly && round === 0;
  return contenders === undefined ? name !== "one-worker" : contenders.includes(name);
}
