import { readConfiguration } from "../controlplane/config/read.ts";
import { readFiles } from "../controlplane/sources/read-files.ts";
import type { Configuration } from "../core/configuration.ts";
import { formatIssue, type Issue } from "../core/issue.ts";
import { counted } from "../kit/counted.ts";
import { AdminFailure, adminPlace } from "./admin-client.ts";
import { type Comparison, compareWith, comparisonLines } from "./against.ts";
import { parseOptions, UsageError } from "./usage.ts";

/**
 * Checks a configuration and prints every issue and a summary, and what it would change in a gateway that runs. Resolves to the exit code:
 * 0 no errors, 1 errors.
 */
export async function check(
  args: readonly string[],
  print: (text: string) => unknown = (text) => process.stdout.write(text),
): Promise<number> {
  const { values, positionals: paths } = parseOptions(args, {
    json: { type: "boolean" },
    against: { type: "string" },
    token: { type: "string" },
  });
  if (paths.length === 0) throw new UsageError("name a file or a folder to check");
  const { texts, issues: unreadable } = await readFiles(paths);
  // With nothing to read, everything would be missing, which says nothing.
  const reading = texts.length > 0 ? readConfiguration(texts) : { configuration: undefined, issues: [] };
  const issues = [...unreadable, ...reading.issues];
  const errors = issues.filter((issue) => issue.severity === "error").length;
  const { configuration } = errors > 0 ? { configuration: undefined } : reading;
  const compared = configuration === undefined ? undefined : await compare(values, configuration);
  const against = typeof compared === "string" ? undefined : compared;
  const outcome = { issues, errors, configuration, against };
  print(values.json === true ? asJson(outcome) : asText(outcome));
  if (typeof compared === "string") process.stderr.write(`causeway check: ${compared}\n`);
  return errors > 0 || typeof compared === "string" ? 1 : 0;
}

/** What the configuration would change in the gateway that is named, if one is; or what keeps us from knowing. */
async function compare(
  { against, token }: { readonly against?: string | undefined; readonly token?: string | undefined },
  configuration: Configuration,
): Promise<Comparison | string | undefined> {
  if (against === undefined) return undefined;
  try {
    return await compareWith(adminPlace({ admin: against, token }), configuration);
  } catch (error) {
    if (!(error instanceof AdminFailure)) throw error;
    if (error.isUsage) throw new UsageError(`--against: ${error.message}`);
    return error.message;
  }
}

type Outcome = {
  readonly issues: readonly Issue[];
  readonly errors: number;
  readonly configuration: Configuration | undefined;
  readonly against: Comparison | undefined;
};

function asJson({ issues, errors, against }: Outcome): string {
  return `${JSON.stringify({ issues, errors, warnings: issues.length - errors, against }, undefined, 2)}\n`;
}

function asText(outcome: Outcome): string {
  const compared = outcome.against === undefined ? [] : comparisonLines(outcome.against);
  return [...outcome.issues.map(formatIssue), summaryOf(outcome), ...compared].map((line) => `${line}\n`).join("");
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
