import type { Sample } from "../measure/sample.ts";
import type { ProxyName } from "../proxies/contender.ts";
import type { Rig } from "../run/rig.ts";

/** How long a run takes. */
export type Timing = { readonly warmupMs: number; readonly measureMs: number };

/** The figure that a scenario is about. */
export type Headline = {
  readonly title: string;
  readonly unit: "µs" | "bytes" | "per second";
  readonly better: "lower" | "higher";
  of(sample: Sample): number;
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
  /** How many sessions or connections are open, or handshakes under way, at once. */
  readonly connections: number;
  readonly headline: Headline;
  /** What the ratio of our headline to theirs shall reach: at most where lower is better, at least where higher is. */
  readonly targets: Partial<Readonly<Record<ProxyName, number>>>;
  /** Is there something to learn from a run without proxy? */
  readonly isMeasuredDirectly: boolean;
  measure(rig: Rig, timing: Timing): Promise<Sample>;
};

/** How many descriptors a process needs for a scenario: a proxy has two connections a session. */
export function descriptorsFor({ connections }: Scenario): number {
  return 2 * connections + 400;
}
