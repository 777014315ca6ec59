import type { Issue } from "../core/issue.ts";

/** The issue of a setting that only shows when it is tried that it cannot be used: a port that is taken, say. */
export function refusal(path: string, error: unknown): Issue {
  const says = error instanceof Error ? error.message : String(error);
  const instead = path.endsWith(".address") ? { try: "choose another address or port" } : {};
  return { severity: "error", at: { source: "configuration", path }, says, ...instead };
}
