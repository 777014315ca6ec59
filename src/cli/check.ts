import { readConfiguration } from "../controlplane/config/read.ts";
import { readFiles } from "../controlplane/sources/read-files.ts";
import type { Configuration } from "../core/configuration.ts";
import { formatIssue, type Issue } from "../core/issue.ts";
import { counted } from "../kit/counted.ts";
import { parseOptions, UsageError } from "./usage.ts";

/** Checks a configuration and prints every issue and a summary. Resolves to the exit code: 0 no errors, 1 errors. */
export async function check(
  args: readonly string[],
  print: (text: string) => unknown = (text) => process.stdout.write(text),
): Promise<number> {
  const { values, positionals: paths } = parseOptions(args, {
    json: { type: "boolean" },
  });
  if (paths.length === 0) throw new UsageError("name a file or a folder to check");
  const { texts, issues: unreadable } = await readFiles(paths);
  // With nothing to read, everything would be missing, which says nothing.
  const reading = texts.length > 0 ? readConfiguration(texts) : { configuration: undefined, issues: [] };
  const issues = [...unreadable, ...reading.issues];
  const errors = issues.filter((issue) => issue.severity === "error").length;
  print(
    values.json === true ? asJson(issues, errors) : asText({ issues, errors, configuration: reading.configuration }),
  );
  return errors > 0 ? 1 : 0;
}

function asJson(issues: readonly Issue[], errors: number): string {
  return `${JSON.stringify({ issues, errors, warnings: issues.length - errors }, undefined, 2)}\n`;
}

type Outcome = {
  readonly issues: readonly Issue[];
  readonly errors: number;
  readonly configuration: Configuration | undefined;
};

function asText(outcome: Outcome): string {
  return [...outcome.issues.map(formatIssue), summaryOf(outcome)].map((line) => `${line}\n`).join("");
}

function summaryOf({ issues, errors, configuration }: Outcome): string {
  const warnings = issues.length - errors;
  if (errors > 0) return `${counted(errors, "error")}, ${counted(warnings, "warning")}`;
  const { listeners = [], routes = [], upstreams = [] } = configuration?.model ?? {};
  const things = [
    counted(listeners.length, "listener"),
    counted(routes.length, "route"),
    counted(upstreams.length, "upstream"),
  ];
  return `${things.join(", ")}: ${warnings === 0 ? "fine" : counted(warnings, "warning")}`;
}
