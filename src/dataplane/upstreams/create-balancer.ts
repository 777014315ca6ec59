import type { BalanceSettings, KeySource, StickySettings } from "../../core/balance-settings.ts";
import type { Balancer, Candidate } from "./candidate.ts";
import { HashRing } from "./hash-ring.ts";
import { LeastSessions } from "./least-sessions.ts";
import { Maglev } from "./maglev.ts";
import { RoundRobin } from "./round-robin.ts";
import { latencyCost, loadCost, TwoChoices } from "./two-choices.ts";

/** What the configuration says of choosing. */
export type ChoiceSettings = { readonly balance: BalanceSettings; readonly sticky?: StickySettings };

/** The balancer for exchanges without a key. */
export function createPlainBalancer<C extends Candidate>({ balance }: ChoiceSettings): Balancer<C> {
  switch (balance) {
    case "round-robin":
      return new RoundRobin<C>();
    case "random":
      return new TwoChoices(loadCost);
    case "peak-ewma":
      return new TwoChoices(latencyCost);
    default:
      return new LeastSessions();
  }
}

/** The balancer for exchanges with a key; undefined if keys mean nothing. */
export function createKeyedBalancer<C extends Candidate>(settings: ChoiceSettings): Balancer<C> | undefined {
  if (keySourceOf(settings) === undefined) return undefined;
  const { balance } = settings;
  return typeof balance === "object" && balance.table === "maglev" ? new Maglev() : new HashRing();
}

/** Where the key is found that a choice depends on, if it depends on one. */
export function keySourceOf({ balance, sticky }: ChoiceSettings): KeySource | undefined {
  if (typeof balance === "object") return balance.hash;
  return sticky?.by === "key" ? sticky.key : undefined;
}
