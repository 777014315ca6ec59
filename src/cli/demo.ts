import { isIP } from "node:net";
import { basename, dirname, join, relative } from "node:path";
import { type DemoOptions, DemoRun } from "./demo-run.ts";
import { isCompiled } from "./self.ts";
import { parseOptions, refuseOperands, UsageError } from "./usage.ts";

/** `causeway demo`: the example applications behind a gateway, until Ctrl-C or until one of the processes dies. */
export async function demo(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
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

  TLS    ${words.secure}    (browsers warn: they do not know who signed the certificate)
         ${words.trust}

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

function readOptions(args: readonly string[]): DemoOptions {
  const { values, positionals } = parseOptions(args, {
    port: { type: "string" },
    host: { type: "string" },
    verbose: { type: "boolean" },
  });
  refuseOperands(positionals);
  const { port, host = "127.0.0.1", verbose = false } = values;
  if (port !== undefined && !(/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535))
    throw new UsageError(`--port takes a number from 1 to 65535, not ${JSON.stringify(port)}`);
  if (isIP(host) === 0 && host !== "localhost")
    throw new UsageError(`--host takes an IP address, not ${JSON.stringify(host)}`);
  return { host, port: port === undefined ? undefined : Number(port), isVerbose: verbose };
}
