import type { ConfigurationText, Places, Reading } from "../core/configuration.ts";
import type { Issue } from "../core/issue.ts";

/** Turns texts into a checked configuration. */
export type ReadConfiguration = (texts: readonly ConfigurationText[]) => Reading;

/** What the machine or a worker refuses, with the place in the text of what was asked of it. */
export function placedBy(places: Places | undefined, issue: Issue): Issue {
  const at = places?.get(issue.at.path);
  return at === undefined ? issue : { ...issue, at };
}
