import { resolve } from "node:path";
import { counted } from "../kit/counted.ts";
import { parseDuration } from "../kit/duration.ts";
import { AdminFailure, adminPlace, askAdmin } from "./admin-client.ts";
import { parseOptions, refuseOperands, UsageError } from "./usage.ts";

const options = {
  binary: { type: "string" },
  linger: { type: "string" },
  json: { type: "boolean" },
  admin: { type: "string" },
  token: { type: "string" },
} as const;

/** How long all workers together may take (ms). */
const answerMs = 600_000;

type Upgraded = {
  readonly worker: string;
  readonly pid: number;
  readonly sessions: number;
  readonly connections: number;
  readonly pausedMs: number;
};

/** `causeway upgrade`: new worker processes take over the sessions of those that run. */
export async function upgrade(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions(args, options);
  refuseOperands(positionals);
  const { binary, linger } = values;
  if (linger !== undefined && parseDuration(linger) === undefined)
    throw new UsageError(`--linger takes a duration such as 24h, not ${JSON.stringify(linger)}`);
  const query = new URLSearchParams();
  if (binary !== undefined) query.set("binary", resolve(binary));
  if (linger !== undefined) query.set("linger", linger);
  try {
    // The admin API is this very program.
    const answer = (await askAdmin({ ...adminPlace(values), answerMs }, `/api/upgrade?${query}`, "POST")) as {
      items: readonly Upgraded[];
      isControlReplaced: boolean;
    };
    if (values.json === true) process.stdout.write(`${JSON.stringify(answer)}\n`);
    else process.stdout.write(answer.items.map(inWords).join(""));
    if (values.json !== true && answer.isControlReplaced) process.stdout.write("the control process follows\n");
    return 0;
  } catch (error) {
    if (!(error instanceof AdminFailure)) throw error;
    process.stderr.write(`causeway upgrade: ${error.message}\n`);
    return error.isUsage ? 2 : 1;
  }
}

function inWords({ worker, pid, sessions, connections, pausedMs }: Upgraded): string {
  const what = `${counted(sessions, "session")} and ${counted(connections, "idle connection")}`;
  return `worker ${worker}: process ${pid} has taken over ${what}; nothing moved for ${Math.round(pausedMs)} ms\n`;
}
