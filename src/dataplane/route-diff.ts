import type { RouteSettings } from "../core/snapshot.ts";

/** What becomes of the open sessions of routes that a new snapshot changes. */
export type RouteDiff = { readonly drain: ReadonlySet<string>; readonly close: ReadonlySet<string> };

/** A deleted route drains, or closes if it said so; a changed one does what its new settings say. */
export function diffRoutes(before: readonly RouteSettings[], after: readonly RouteSettings[]): RouteDiff {
  const drain = new Set<string>();
  const close = new Set<string>();
  const byName = new Map(after.map((route) => [route.name, route]));
  for (const route of before) {
    const now = byName.get(route.name);
    if (now === undefined) (route.onChange === "close" ? close : drain).add(route.name);
    else if (now.onChange !== "keep" && JSON.stringify(now) !== JSON.stringify(route)) {
      (now.onChange === "close" ? close : drain).add(route.name);
    }
  }
  return { drain, close };
}
