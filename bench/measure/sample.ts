/** What went wrong and how often. A run with errors is invalid. */
export type Failure = { readonly what: string; readonly count: number };

/** What one run under traffic came to. An operation is a relayed round trip, a request or a handshake. */
export type TrafficSample = {
  readonly kind: "traffic";
  readonly operations: number;
  readonly perSecond: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  /** CPU time per operation over all processes of the proxy, and the parts of those that serve and those that do not; microseconds. */
  readonly cpuMicros: number;
  readonly workerCpuMicros: number;
  readonly controlCpuMicros: number;
  /** How busy the proxy kept its core, and load and echo server theirs; 0 to 1. */
  readonly proxyCore: number;
  readonly loadCore: number;
  /** What processes that are no part of the run took of the two cores; 1 is one of them. */
  readonly foreignCore: number;
  readonly failures: readonly Failure[];
};

/** What one run with idle sessions came to. Resident bytes over all processes of the proxy. */
export type MemorySample = {
  readonly kind: "memory";
  readonly sessions: number;
  readonly bytesPerSession: number;
  /** The part of it in the processes that serve. */
  readonly workerBytesPerSession: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly failures: readonly Failure[];
};

export type Sample = TrafficSample | MemorySample;
