import type { Filter } from "../../core/exchange.ts";
import type { FilterSettings } from "../../core/filter-settings.ts";
import type { RouteSettings } from "../../core/snapshot.ts";
import type { Clock } from "../../kit/timer-wheel.ts";
import type { RouteLimits } from "./route-limits.ts";

/** What a filter is made with beside its settings. */
export type FilterParts = {
  readonly route: RouteSettings;
  /** Monotonic, in ms. */
  readonly clock: Clock;
  /** Lives as long as the gateway, so that counts survive snapshots. */
  readonly limits: RouteLimits;
};

/** The same, and how many filters of the same type stand before this one on the route. */
export type PlacedParts = FilterParts & { readonly ordinal: number };

/** Makes a filter from checked settings; throws an Error where they are wrong after all. */
export type FilterCreator<S extends FilterSettings = FilterSettings> = (settings: S, parts: PlacedParts) => Filter;
