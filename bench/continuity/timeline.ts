/** What is done to a gateway while clients talk through it. */
export const eventKinds = ["reload", "worker killed", "upgrade"] as const;

export type EventKind = (typeof eventKinds)[number];

/** What clients saw in one short stretch of time. */
export type Bucket = {
  /** Echoes that came back. */
  readonly messages: number;
  /** Sessions that were open at its end. */
  readonly open: number;
  /** Sessions that ended although nobody had closed them. */
  readonly lost: number;
  /** Handshakes that failed. */
  readonly refused: number;
  /** How long the slowest of these echoes took. */
  readonly longestMs: number;
};

/** Buckets one after the other. */
export type Timeline = {
  /** When the first one began, in Unix milliseconds. */
  readonly startedAt: number;
  readonly bucketMs: number;
  readonly buckets: readonly Bucket[];
};

/** Something that was done, when it began on the timeline, and how many processes the gateway had before the next thing. */
export type Deed = { readonly kind: EventKind; readonly atMs: number; readonly processes: number };

/** What a deed cost those who were connected. */
export type Consequence = Deed & Omit<Bucket, "messages" | "open">;

/** What followed from each deed, until the next one. */
export function consequences({ bucketMs, buckets }: Timeline, deeds: readonly Deed[]): readonly Consequence[] {
  return deeds.map((deed, index) => {
    const next = deeds[index + 1];
    const until = next === undefined ? buckets.length : Math.floor(next.atMs / bucketMs);
    const window = buckets.slice(Math.floor(deed.atMs / bucketMs), until);
    return {
      ...deed,
      lost: sum(window.map(({ lost }) => lost)),
      refused: sum(window.map(({ refused }) => refused)),
      longestMs: Math.max(0, ...window.map(({ longestMs }) => longestMs)),
    };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
