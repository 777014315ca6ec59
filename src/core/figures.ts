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

/** An endpoint as one worker sees it, or all of them added up. */
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
  /** Over HTTP/2: each carries many exchanges. */
  readonly sharedConnections: number;
  /** Handshakes and requests that it has answered, whatever the answer was. */
  readonly handshakes: number;
  readonly answers: number;
  /** How long all of these took together, from the try to the head of the answer (ms). */
  readonly answerMs: number;
  readonly connectFailures: number;
  /** Handshakes that got no answer, a wrong one, or one of 500 to 599; and the same for requests. */
  readonly handshakeFailures: number;
  readonly answerFailures: number;
  /** Sessions that lost it too soon after they had opened. */
  readonly sessionFailures: number;
  readonly ejections: number;
};

/** What a listener looks like at run time. `port` is the one bound. */
export type ListenerStatus = {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly connections: number;
};
