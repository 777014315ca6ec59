import type { EndpointState } from "./endpoint-state.ts";

/** A metric with its current values, in the shape that metric registries exchange between processes. */
export type MetricFamily = {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly values: readonly MetricValue[];
};

/** For a histogram `metricName` ends in `_bucket` (cumulative, with the label `le`), `_sum` or `_count`. */
export type MetricValue = {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
};

/** What an upstream looks like at run time. */
export type UpstreamStatus = {
  readonly name: string;
  readonly balance: string;
  /** Too few endpoints are usable, so health is ignored. */
  readonly isPanicking: boolean;
  readonly endpoints: readonly EndpointStatus[];
};

export type EndpointStatus = {
  readonly address: string;
  readonly weight: number;
  readonly state: EndpointState;
  /** Since when it is in this state (Unix milliseconds), and why; empty if there is nothing to say. */
  readonly since: number;
  readonly why: string;
  readonly sessions: number;
  readonly requests: number;
  readonly idleConnections: number;
  readonly connectFailures: number;
};

/** What a listener looks like at run time. `port` is the one bound. */
export type ListenerStatus = {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly connections: number;
};
