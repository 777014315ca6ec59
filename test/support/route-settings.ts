import type { RequestHead } from "../../src/core/exchange.ts";
import { HeaderList } from "../../src/core/headers.ts";
import type { PathMatch, RouteMatch, RouteSettings } from "../../src/core/snapshot.ts";
import { RouteTable } from "../../src/dataplane/routing/route-table.ts";
import { makeRoute } from "./exchange.ts";

/** What is asked of a table of routes. */
export type Asked = {
  host?: string;
  path?: string;
  method?: string;
  query?: string;
  headers?: readonly [string, string][];
};

/** A table that finds the names of routes. */
export function compile(routes: readonly RouteSettings[]): RouteTable<string> {
  return RouteTable.compile(routes.map((settings) => ({ settings, value: settings.name })));
}

/** A request head that asks this; where nothing is said, `GET /` of any host. */
export function headOf(asked: Asked): RequestHead {
  const { host = "any.test", path = "/", method = "GET", query = "", headers = [] } = asked;
  return { method, target: path, headers: HeaderList.from(headers), authority: host, host, path, query };
}

/** A route of that name that goes nowhere. */
export function settingsOf(name: string, match: Partial<RouteMatch>): RouteSettings {
  return makeRoute(match, { name });
}

/** What a path has to be. */
export function exact(value: string): PathMatch {
  return { kind: "exact", value };
}

/** What a path has to begin with. */
export function prefix(value: string): PathMatch {
  return { kind: "prefix", value };
}

/** What a path has to match. */
export function regex(value: string): PathMatch {
  return { kind: "regex", value };
}
