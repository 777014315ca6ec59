import type { Configuration } from "../core/configuration.ts";
import type { ListenerStatus } from "../core/figures.ts";
import { formatIssue, type Issue } from "../core/issue.ts";
import { formatAddress } from "../core/snapshot.ts";
import { counted } from "../kit/counted.ts";
import type { EventLog } from "./event-log.ts";

/** What the log says of configurations that come into force, or do not. */
export class ReloadLog {
  readonly #log: EventLog;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Another revision is in force; listeners are named if they have moved. */
  applied(
    revision: number,
    { model }: Configuration,
    listeners: { readonly before: readonly ListenerStatus[]; readonly after: readonly ListenerStatus[] },
  ): void {
    const places = placesOf(listeners.after);
    const moved = Bun.deepEquals(placesOf(listeners.before), places) ? "" : `, ${places.join(", ")}`;
    const size = `${counted(model.routes.length, "route")}, ${counted(model.upstreams.length, "upstream")}`;
    this.#log.info("config-applied", `revision ${revision} is in force: ${size}${moved}`, { revision });
  }

  /** The same revision stays: there are new settings, mistakes are mended, or nothing has changed. */
  kept(revision: number, why: "settings" | "mended" | "unchanged"): void {
    const log = this.#log;
    if (why === "settings")
      log.info("config-applied", `the new settings are in force, with revision ${revision}`, { revision });
    else if (why === "mended")
      log.info(
        "config-mended",
        `the configuration is without errors again, and the same as revision ${revision}, which is in force`,
        { revision },
      );
    else
      log.info("config-unchanged", `the configuration has not changed: revision ${revision} stays in force`, {
        revision,
      });
  }

  /** The last good revision stays; with `isOutside` it is the machine that refuses the new one, not the text. */
  refused(
    errors: readonly Issue[],
    { revision, isOutside }: { revision: number | undefined; isOutside: boolean },
  ): void {
    const what = isOutside ? "cannot be put into force yet" : `has ${counted(errors.length, "error")}`;
    const next = isOutside ? "; it is tried again every few seconds" : "";
    const says = `the new configuration ${what}, so revision ${revision} stays${next}`;
    this.#log.warn("config-refused", says, { revision, errors: errors.length });
    this.issues(errors);
  }

  /** A revision came by the admin API. */
  submitted(revision: number, isSaved: boolean): void {
    const stays = isSaved ? "" : " and stays until the files change";
    this.#log.info("config-submitted", `revision ${revision} came by the admin API${stays}`, { revision, isSaved });
  }

  issues(issues: readonly Issue[]): void {
    for (const issue of issues) {
      const level = issue.severity === "error" ? "error" : "warn";
      this.#log[level]("config-issue", formatIssue(issue), { issue });
    }
  }
}

function placesOf(listeners: readonly ListenerStatus[]): readonly string[] {
  return listeners.map((listener) => `${listener.name} at ${formatAddress(listener)}`);
}
