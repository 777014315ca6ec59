/** What a balancer has to know of an endpoint. */
export interface Candidate {
  /** The same text in every process; hashes are made of it. */
  readonly address: string;
  /** As configured, relative; candidates of weight 0 are never offered. */
  readonly weight: number;
  /** The weight it has at present: less than `weight` while it starts slowly, and never 0. */
  readonly share: number;
  /** Open sessions and running requests. */
  readonly load: number;
  /** How long its answers take at present (milliseconds); 0 while nothing is known. */
  readonly latencyMs: number;
  /** What its turns have left behind. Round robin keeps it here, so that it outlives every change of the configuration. */
  credit: number;
}

/** Chooses one of several endpoints. */
export interface Balancer<C extends Candidate> {
  /** Whom to choose from, from now on. Comes again whenever they or their shares have changed. */
  offer(candidates: readonly C[]): void;
  /** One that is not in `tried`; undefined if there is none. `hash` has 32 bits, of which only hashing balancers make use. */
  pick(tried: ReadonlySet<C>, hash: number): C | undefined;
}

/** True if these are the candidates that were offered before, in the same order, and each weighs what it did: what was built of them holds. */
export function isSameOffer<C extends Candidate>(
  candidates: readonly C[],
  before: readonly C[],
  weights: readonly number[],
): boolean {
  return (
    candidates.length === before.length &&
    candidates.every((one, at) => one === before[at] && one.weight === weights[at])
  );
}
