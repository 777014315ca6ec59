import type { ZoneSettings } from "../../core/balance-settings.ts";
import { hashText, mix } from "../../kit/text-hash.ts";
import type { Balancer, Candidate } from "./candidate.ts";
import { type ChoiceSettings, createKeyedBalancer, createPlainBalancer, keySourceOf } from "./create-balancer.ts";
import { type Asker, createKeyFinder, type KeyFinder } from "./key-source.ts";

/** What has to be known of an endpoint to offer it. */
export interface Offerable extends Candidate {
  /** Used only when too few of the others are usable. */
  readonly isStandby: boolean;
  readonly zone: string | undefined;
}

/** What the configuration says of whom to offer. */
export type OfferSettings = ChoiceSettings & {
  /** Percent of usable endpoints below which those that stand by are offered too. */
  readonly standbyBelow?: number;
  readonly zones?: ZoneSettings;
};

/** Endpoints that are equally close, with the balancers that choose among them. */
type Tier<C extends Candidate> = { readonly plain: Balancer<C>; readonly keyed: Balancer<C> | undefined };

const usualStandbyBelow = 1;

/** Whom an upstream offers, and the choice among them: those of the own zone first, and those that stand by only when they are needed. */
export class Offer<C extends Offerable> {
  /** Exchanges without the key that the choice should depend on. */
  keyless = 0;
  readonly #settings: OfferSettings;
  readonly #near: Tier<C>;
  readonly #far: Tier<C>;
  readonly #findKey: KeyFinder | undefined;
  /** Which part of the exchanges goes to other zones: 0 to 1. */
  #spill = 0;
  #nearby: readonly C[] = [];
  #distant: readonly C[] = [];

  constructor(settings: OfferSettings) {
    this.#settings = settings;
    this.#near = createTier(settings);
    this.#far = createTier(settings);
    const source = keySourceOf(settings);
    this.#findKey = source && createKeyFinder(source);
  }

  /** Of all that stay, these are usable. */
  update(staying: readonly C[], usable: readonly C[]): void {
    const active = this.#activeOf(staying, usable);
    const { zones } = this.#settings;
    const isNear = ({ zone }: C): boolean => zones === undefined || zone === zones.prefer;
    const near = active.filter(isNear);
    const far = active.filter((one) => !isNear(one));
    this.#spill =
      near.length === 0
        ? 1
        : spillOf(
            near,
            staying.filter((one) => isNear(one) && !one.isStandby),
            zones,
          );
    this.#nearby = near;
    this.#distant = far;
    this.reweigh();
  }

  /** Shares have changed. */
  reweigh(): void {
    offerTo(this.#near, this.#nearby);
    offerTo(this.#far, this.#distant);
  }

  /** True if the choice depends on a key. */
  get isKeyed(): boolean {
    return this.#findKey !== undefined;
  }

  get size(): number {
    return this.#nearby.length + this.#distant.length;
  }

  /** One that is not in `shunned`; undefined if there is none. */
  pick(shunned: ReadonlySet<C>, asker: Asker | undefined): C | undefined {
    const key = asker && this.#findKey?.(asker);
    if (key === undefined && this.#findKey !== undefined) this.keyless++;
    const hash = key === undefined ? undefined : hashText(key);
    const isFar = this.#distant.length > 0 && coin(hash) < this.#spill;
    const first = choose(isFar ? this.#far : this.#near, shunned, hash);
    return first ?? choose(isFar ? this.#near : this.#far, shunned, hash);
  }

  #activeOf(staying: readonly C[], usable: readonly C[]): readonly C[] {
    const primaries = usable.filter(({ isStandby }) => !isStandby);
    if (primaries.length === usable.length) return usable;
    const wanted = staying.reduce((count, { isStandby }) => (isStandby ? count : count + 1), 0);
    const below = this.#settings.standbyBelow ?? usualStandbyBelow;
    return primaries.length === 0 || primaries.length * 100 < wanted * below ? usable : primaries;
  }
}

function createTier<C extends Candidate>(settings: ChoiceSettings): Tier<C> {
  return { plain: createPlainBalancer<C>(settings), keyed: createKeyedBalancer<C>(settings) };
}

function offerTo<C extends Candidate>({ plain, keyed }: Tier<C>, candidates: readonly C[]): void {
  plain.offer(candidates);
  keyed?.offer(candidates);
}

function choose<C extends Candidate>(
  { plain, keyed }: Tier<C>,
  shunned: ReadonlySet<C>,
  hash: number | undefined,
): C | undefined {
  return hash === undefined || keyed === undefined ? plain.pick(shunned, 0) : keyed.pick(shunned, hash);
}

/** 0 to 1: the same for the same key, so that a key does not change between zones. */
function coin(hash: number | undefined): number {
  return hash === undefined ? Math.random() : mix(hash + 1) / 2 ** 32;
}

/** What the usable endpoints of a zone cannot take, in proportion to what is missing of the share that they need. */
function spillOf(usable: readonly Candidate[], wanted: readonly Candidate[], zones: ZoneSettings | undefined): number {
  if (zones === undefined) return 0;
  const weigh = (sum: number, { weight }: Candidate): number => sum + weight;
  const need = (wanted.reduce(weigh, 0) * zones.spillBelow) / 100;
  return need === 0 ? 0 : Math.max(0, 1 - usable.reduce(weigh, 0) / need);
}
