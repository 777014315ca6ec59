import { basename, dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { DemoRun } from "./demo-run.ts";
import { isCompiled } from "./self.ts";

const USAGE = `usage: causeway demo [--port N] [--host ADDRESS] [--verbose]

Starts the example applications, each its own process, and the gateway in front
of them.

  --port N        the gateway's port; 8080 unless told, or another free one if
                  that is taken
  --host ADDRESS  the gateway's address; 127.0.0.1 unless told, 0.0.0.0 to be
                  reached from other machines
  --verbose       show everything the gateway logs
`;

/** `causeway demo`: the example applications behind a gateway, until Ctrl-C or until one of the processes dies. */
export async function demo(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options.kind === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  if (options.kind === "wrong") {
    process.stderr.write(`causeway demo: ${options.says}\n\n${USAGE}`);
    return 2;
  }
  const run = DemoRun.open(options);
  const told = Promise.withResolvers<undefined>();
  let isTold = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (isTold) run.cut();
      isTold = true;
      told.resolve(undefined);
    });
  }
  // A terminal that is gone must not keep the demo from ending its processes.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

  try {
    const failure = await Promise.race([told.promise, run.failed, greet(run)]);
    if (failure === undefined) return 0;
    process.stderr.write(`causeway demo: ${failure}\n`);
    return 1;
  } finally {
    await run.close();
  }
}

// Resolves only to a reason why the demo could not come up; once it is up, a signal or a dying process ends it.
async function greet(run: DemoRun): Promise<string> {
  const sessions = `${ownName()} sessions list`;
  const up = await run.up(sessions);
  if ("problem" in up) return up.problem;
  const { url, words } = up;
  process.stdout.write(`
Causeway is up: three example applications behind one gateway.

  open   ${url}
         ${url}dashboard/     eight live bars
         ${url}chat/          a name, a message, every browser sees it
         ${url}close-codes/   close codes, with and without the gateway

  chat   ${words.chat}

  type   ${words.curl}
         ${words.sessions}

  admin  ${words.admin}/api/sessions
  file   ${words.file}   (change it and save it: sessions stay)

Ctrl-C ends everything; a second one does not wait for anybody.
`);
  return new Promise(() => {});
}

/** What to type to run this program from where its user stands. */
function ownName(): string {
  const program = isCompiled ? process.execPath : join(dirname(dirname(import.meta.dir)), "bin", "causeway");
  const path = relative(process.cwd(), program);
  if (path.startsWith("..")) return program;
  return path === basename(path) ? `./${path}` : path;
}

type Options =
  | { readonly kind: "run"; readonly host: string; readonly port: number | undefined; readonly isVerbose: boolean }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly says: string };

function readOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        port: { type: "string" },
        host: { type: "string", default: "127.0.0.1" },
        verbose: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return { kind: "help" };
    const port = values.port === undefined ? undefined : Number(values.port);
    if (port !== undefined && !(/^\d+$/.test(values.port ?? "") && port >= 1 && port <= 65535))
      return { kind: "wrong", says: `--port takes a number from 1 to 65535, not ${JSON.stringify(values.port)}` };
    return { kind: "run", host: values.host, port, isVerbose: values.verbose };
  } catch (error) {
    return { kind: "wrong", says: error instanceof Error ? error.message : String(error) };
  }
}
