import { type Configuration, withoutSecrets } from "../core/configuration.ts";
import type { SessionFilter } from "../core/session.ts";
import { formatAddress, type RouteSettings, type UpstreamSettings } from "../core/snapshot.ts";
import { type FieldChange, fieldChanges } from "./field-changes.ts";

/** What becomes of open sessions: they stay, or get their Close at once or within a time (ms). */
export type Fate = "stay" | "close" | { readonly endWithinMs: number };

/** One thing that another configuration would change. */
export type Change = {
  readonly what: "added" | "changed" | "removed";
  readonly kind: "listener" | "route" | "upstream" | "endpoint" | "settings";
  readonly name: string;
  /** For what is changed. */
  readonly fields: readonly FieldChange[];
  /** The sessions that it concerns, and what becomes of them; undefined where it concerns none. */
  readonly concerns?: { readonly filter: SessionFilter; readonly fate: Fate };
};

/** As the admin API shows a configuration: private keys and the admin token stay where they are. */
export type ShownConfiguration = {
  readonly model: Omit<Configuration["model"], "certificates">;
  readonly settings: Readonly<Record<string, unknown>>;
};

/** What would change if `after` were put into force in place of `before`, and what that would mean for open sessions. */
export function configurationChanges(before: ShownConfiguration, after: Configuration): readonly Change[] {
  const now = plain(before.model);
  const then = plain(after.model);
  const { windowMs } = after.settings.drain;
  const soon: Fate = { endWithinMs: windowMs };
  const settings = fieldChanges(before.settings, plain(withoutSecrets(after.settings)));
  return [
    ...compare("listener", now.listeners, then.listeners, {
      filter: ({ name }) => ({ listener: name }),
      fate: (_, listener) => (listener === undefined ? soon : "stay"),
    }),
    ...compare("upstream", now.upstreams.map(withoutEndpoints), then.upstreams.map(withoutEndpoints), {
      filter: ({ name }) => ({ upstream: name }),
      // What becomes of its endpoints stands with them.
      fate: (old, upstream) => (upstream === undefined ? leavingFate(old, windowMs) : "stay"),
    }),
    ...endpointChanges(now.upstreams, then.upstreams, windowMs),
    ...compare<RouteSettings>("route", now.routes, then.routes, {
      filter: ({ name }) => ({ route: name }),
      fate: (old, route) =>
        fateOf(route === undefined ? (old.onChange === "close" ? "close" : "drain") : route.onChange, soon),
    }),
    ...(settings.length === 0 ? [] : [{ what: "changed", kind: "settings", name: "", fields: settings } as const]),
  ];
}

type Concern<Thing> = {
  readonly filter: (thing: Thing) => SessionFilter;
  /** `after` is undefined for what is removed. */
  readonly fate: (before: Thing, after: Thing | undefined) => Fate;
};

function compare<Thing extends { readonly name: string }>(
  kind: Change["kind"],
  before: readonly Thing[],
  after: readonly Thing[],
  concern: Concern<Thing>,
): readonly Change[] {
  const wanted = new Map(after.map((thing) => [thing.name, thing]));
  const known = new Set(before.map(({ name }) => name));
  const touched = before.flatMap((thing): Change[] => {
    const { name } = thing;
    const now = wanted.get(name);
    const fields = now === undefined ? [] : fieldChanges(thing, now);
    if (now !== undefined && fields.length === 0) return [];
    const what = now === undefined ? "removed" : "changed";
    return [{ what, kind, name, fields, concerns: { filter: concern.filter(thing), fate: concern.fate(thing, now) } }];
  });
  const added = after.filter(({ name }) => !known.has(name));
  return [...touched, ...added.map(({ name }) => ({ what: "added", kind, name, fields: [] }) as const)];
}

function endpointChanges(
  before: readonly UpstreamSettings[],
  after: readonly UpstreamSettings[],
  windowMs: number,
): readonly Change[] {
  const wanted = new Map(after.map((upstream) => [upstream.name, upstream]));
  return before.flatMap((upstream) => {
    const now = wanted.get(upstream.name);
    if (now === undefined) return [];
    const named = ({ endpoints }: UpstreamSettings) =>
      endpoints.map((endpoint) => ({ ...endpoint, name: `${formatAddress(endpoint)} of ${upstream.name}` }));
    return compare("endpoint", named(upstream), named(now), {
      filter: (endpoint) => ({ upstream: upstream.name, endpoint: formatAddress(endpoint) }),
      fate: (_, endpoint) => (endpoint === undefined || endpoint.weight === 0 ? leavingFate(now, windowMs) : "stay"),
    });
  });
}

/** What becomes of the sessions of endpoints that go. */
function leavingFate({ drainMs }: Pick<UpstreamSettings, "drainMs">, windowMs: number): Fate {
  return drainMs === null ? "stay" : { endWithinMs: drainMs ?? windowMs };
}

function fateOf(onChange: RouteSettings["onChange"], soon: Fate): Fate {
  if (onChange === "drain") return soon;
  return onChange === "close" ? "close" : "stay";
}

function withoutEndpoints({ endpoints: _, ...upstream }: UpstreamSettings): Omit<UpstreamSettings, "endpoints"> {
  return upstream;
}

/** As it is after it has been sent, which loses what is undefined. */
function plain<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value));
}
