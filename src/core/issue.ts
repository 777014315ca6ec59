/** Where in a configuration an issue stands; lines and columns count from 1, `path` is dotted (`routes.chat.match`). */
export type Place = {
  readonly source: string;
  readonly line?: number;
  readonly column?: number;
  readonly path: string;
};

/** Something wrong or doubtful in a configuration; an `error` keeps the last good snapshot in force. */
export type Issue = {
  readonly severity: "error" | "warning";
  readonly at: Place;
  readonly says: string;
  readonly try?: string;
};

/** One line of text: `file:line:column: path: what is wrong; what to write instead`. */
export function formatIssue(issue: Issue): string {
  const { source, line, column, path } = issue.at;
  const place = [source, line, column].filter((part) => part !== undefined).join(":");
  const says = issue.try === undefined ? issue.says : `${issue.says}; ${issue.try}`;
  const severity = issue.severity === "warning" ? "warning: " : "";
  return path === "" ? `${place}: ${severity}${says}` : `${place}: ${path}: ${severity}${says}`;
}
