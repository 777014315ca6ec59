import { type DrainTarget, inWords } from "../controlplane/drains.ts";
import { parseDuration } from "../kit/duration.ts";
import { AdminFailure, type AdminPlace, adminPlace, askAdmin } from "./admin-client.ts";
import { type DrainLeft, progressOutput, watchDrain } from "./drain-progress.ts";
import { parseOptions, refuseOperands, UsageError } from "./usage.ts";

const names = ["route", "listener", "upstream", "endpoint"] as const;
const terms = ["window", "code", "reason"] as const;

const options = {
  route: { type: "string" },
  listener: { type: "string" },
  upstream: { type: "string" },
  endpoint: { type: "string" },
  window: { type: "string" },
  code: { type: "string" },
  reason: { type: "string" },
  cancel: { type: "boolean" },
  list: { type: "boolean" },
  "no-wait": { type: "boolean" },
  json: { type: "boolean" },
  admin: { type: "string" },
  token: { type: "string" },
} as const;

type Values = ReturnType<typeof parseOptions<typeof options>>["values"];

/** `causeway drain`: gives the gateway, or a part of it, no new sessions and ends those that are open; or takes that back. */
export async function drain(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions(args, options);
  refuseOperands(positionals);
  checkUse(values);
  try {
    const place = adminPlace(values);
    if (values.list === true) return await list(place, values);
    return values.cancel === true ? await cancel(place, values) : await begin(place, values);
  } catch (error) {
    if (!(error instanceof AdminFailure)) throw error;
    process.stderr.write(`causeway drain: ${error.message}\n`);
    return error.isUsage ? 2 : 1;
  }
}

async function begin(place: AdminPlace, values: Values): Promise<number> {
  const begun = (await askAdmin(place, `/api/drain?${query(values, [...names, ...terms])}`, "POST")) as DrainLeft;
  const output = progressOutput(begun, { isJson: values.json === true, isTerminal: process.stdout.isTTY === true });
  if (values["no-wait"] === true) return output.begun();
  // Whoever stops watching does not stop the drain.
  process.once("SIGINT", () => {
    const again = names.flatMap((name) => (values[name] === undefined ? [] : [` --${name} ${values[name]}`]));
    process.stderr.write(`\nthe drain goes on; causeway drain${again.join("")} --cancel takes it back\n`);
    process.exit(130);
  });
  return watchDrain({ begun, output, ask: () => drains(place) });
}

async function cancel(place: AdminPlace, values: Values): Promise<number> {
  const answer = (await askAdmin(place, `/api/drain?${query(values, names)}`, "DELETE")) as DrainLeft;
  if (values.json === true) process.stdout.write(`${JSON.stringify(answer)}\n`);
  else process.stdout.write(`${inWords(targetOf(values))} takes new sessions again; ${answer.sessions} are left\n`);
  return 0;
}

async function list(place: AdminPlace, values: Values): Promise<number> {
  const items = await drains(place);
  for (const item of items) {
    const text =
      values.json === true ? JSON.stringify(item) : `${inWords(item.target)}: ${item.sessions} sessions left`;
    process.stdout.write(`${text}\n`);
  }
  if (items.length === 0 && values.json !== true) process.stderr.write("nothing is drained\n");
  return 0;
}

/** The admin API is this very program. */
async function drains(place: AdminPlace): Promise<readonly DrainLeft[]> {
  return ((await askAdmin(place, "/api/drain")) as { items: readonly DrainLeft[] }).items;
}

function checkUse(values: Values): void {
  const named = names.find((name) => values[name] !== undefined);
  const term = terms.find((name) => values[name] !== undefined);
  if (values.list === true && (named ?? term ?? (values.cancel === true ? "cancel" : undefined)) !== undefined)
    throw new UsageError("--list stands alone");
  if (values.cancel === true && term !== undefined) throw new UsageError(`--cancel takes no --${term}`);
  const { window } = values;
  if (window !== undefined && parseDuration(window) === undefined)
    throw new UsageError(`--window takes a duration such as 60s, not ${JSON.stringify(window)}`);
}

function targetOf(values: Values): DrainTarget {
  return Object.fromEntries(names.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])));
}

function query(values: Values, wanted: readonly ((typeof names)[number] | (typeof terms)[number])[]): string {
  const parameters = new URLSearchParams();
  for (const name of wanted) {
    const value = values[name];
    if (value !== undefined) parameters.set(name, value);
  }
  return parameters.toString();
}
