import type { Filter, Next } from "../../core/exchange.ts";
import type { FilterSettings } from "../../core/filter-settings.ts";
import { createHeaders } from "./headers.ts";
import { createIp } from "./ip.ts";
import { createLimit } from "./limit.ts";
import { checkOriginDefault, createOrigin } from "./origin.ts";
import type { FilterCreator, FilterParts } from "./parts.ts";
import { createRedirect } from "./redirect.ts";
import { createRespond } from "./respond.ts";
import { createRewrite } from "./rewrite.ts";

type Catalogue = { readonly [Type in FilterSettings["type"]]: FilterCreator<Extract<FilterSettings, { type: Type }>> };

/** Every filter there is. */
const catalogue: Catalogue = {
  rewrite: createRewrite,
  headers: createHeaders,
  redirect: createRedirect,
  respond: createRespond,
  origin: createOrigin,
  ip: createIp,
  limit: createLimit,
};

/** The names of all filters, as they stand in settings. */
export const filterTypes: readonly string[] = Object.keys(catalogue);

/** Makes filters in their order; throws an Error where settings are wrong after all. */
export function createFilters(settings: readonly FilterSettings[], parts: FilterParts): readonly Filter[] {
  return settings.map((filter, at) => {
    const ordinal = settings.slice(0, at).filter((other) => other.type === filter.type).length;
    return create(filter, { ...parts, ordinal });
  });
}

/** All filters of a route: the default check of Origin, unless the route has its own, and then what is configured. */
export function createRouteFilters(parts: FilterParts): readonly Filter[] {
  const { filters } = parts.route;
  const configured = createFilters(filters, parts);
  return filters.some((filter) => filter.type === "origin") ? configured : [checkOriginDefault, ...configured];
}

/** One way from the first filter to the innermost handler. */
export function compose(filters: readonly Filter[], innermost: Next): Next {
  return filters.reduceRight<Next>((next, filter) => (exchange) => filter(exchange, next), innermost);
}

/** The settings and the creator found by their type belong together, which the compiler cannot follow. */
function create(settings: FilterSettings, parts: FilterParts & { readonly ordinal: number }): Filter {
  return (catalogue[settings.type] as FilterCreator)(settings, parts);
}
