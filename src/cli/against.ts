import type { Configuration } from "../core/configuration.ts";
import { counted } from "../kit/counted.ts";
import { formatDuration } from "../kit/duration.ts";
import { escapeControls } from "../telemetry/line-text.ts";
import { type AdminPlace, askAdmin } from "./admin-client.ts";
import { type Change, configurationChanges, type Fate, type ShownConfiguration } from "./configuration-changes.ts";
import { formatFieldChange } from "./field-changes.ts";

/** A change, and how many sessions are open that it concerns. */
export type CountedChange = Change & { readonly sessions?: number };

/** What a configuration would change in a gateway that runs. */
export type Comparison = {
  readonly url: string;
  readonly revision: number;
  readonly changes: readonly CountedChange[];
};

/** Asks a running gateway what it has in force, and compares; throws an AdminFailure. */
export async function compareWith(place: AdminPlace, configuration: Configuration): Promise<Comparison> {
  // The admin API is this very program.
  const shown = (await askAdmin(place, "/api/config")) as ShownConfiguration & { readonly revision: number };
  const changes: CountedChange[] = [];
  for (const change of configurationChanges(shown, configuration)) {
    if (change.concerns === undefined) changes.push(change);
    else changes.push({ ...change, sessions: await count(place, change.concerns.filter) });
  }
  return { url: place.url, revision: shown.revision, changes };
}

async function count(place: AdminPlace, filter: Readonly<Record<string, string>>): Promise<number> {
  const query = new URLSearchParams({ ...filter, limit: "1" });
  return ((await askAdmin(place, `/api/sessions?${query}`)) as { readonly total: number }).total;
}

const marks = { added: "+", changed: "~", removed: "-" } as const;

/** The comparison as lines of text. */
export function comparisonLines({ url, revision, changes }: Comparison): readonly string[] {
  const head = `against ${url}, revision ${revision}:`;
  if (changes.length === 0) return [head, "no changes"];
  const counts = (["added", "changed", "removed"] as const).flatMap((what) => {
    const count = changes.filter((change) => change.what === what).length;
    return count === 0 ? [] : [`${count} ${what}`];
  });
  return [head, ...changes.flatMap(linesOf), `${counts.join(", ")}; nothing is changed yet`];
}

function linesOf(change: CountedChange): readonly string[] {
  const { what, kind, name, concerns, sessions = 0, fields } = change;
  const title = `${marks[what]} ${kind === "settings" ? "settings" : `${kind} ${name}`}`;
  const fate = concerns === undefined || sessions === 0 ? "" : `: ${inWords(sessions, concerns.fate)}`;
  return [`${title}${fate}`, ...fields.map((field) => `    ${formatFieldChange(field)}`)].map(escapeControls);
}

function inWords(sessions: number, fate: Fate): string {
  const many = counted(sessions, "session");
  if (fate === "stay") return sessions === 1 ? `${many} stays as it is` : `${many} stay as they are`;
  const verb = sessions === 1 ? "ends" : "end";
  return fate === "close" ? `${many} ${verb} at once` : `${many} ${verb} within ${formatDuration(fate.endWithinMs)}`;
}
