/** A command of the command line. `help` is missing where nobody asks for it. */
export type Command = {
  readonly name: string;
  readonly summary: string;
  readonly help?: string;
  readonly isHidden?: true;
  /** Loads the command's code, which is left on the disk until it is wanted, and returns the function to call. */
  readonly load: () => Promise<Act>;
};

type Act = (args: readonly string[]) => Promise<number>;

/** Ends the process with the command, whatever sockets are still open and whoever has not read what was written. */
function endingWith(act: Act): Act {
  return async (args) => process.exit(await act(args));
}

const adminHelp = `  --admin URL       where the admin API is (or CAUSEWAY_ADMIN;
                    http://127.0.0.1:9901 otherwise)
  --token TOKEN     its token, if it asks for one (better: CAUSEWAY_ADMIN_TOKEN)`;

/** Every command, in the order of the help page. */
export const commands: readonly Command[] = [
  {
    name: "run",
    summary: "run the gateway with a configuration",
    help: `usage: causeway run [--tied] <file-or-folder>…

Runs the gateway with the YAML of the files, and of all *.yaml and *.yml files
of the folders, together. The files are watched: what is saved is in force
within a second and drops no session; what is wrong changes nothing and is
logged.

On a terminal the log is readable: records of traffic on standard output, events
of the gateway on standard error. Elsewhere both are JSON lines on standard
output. \`log.format\` of the configuration overrides that.

  --tied            end the workers if this process is killed; otherwise they
                    serve on until the next \`causeway run\` of the same files

SIGTERM and SIGINT (Ctrl-C) end all sessions with Close frames as \`drain\` of the
configuration says; a second one ends at once. SIGHUP reads the configuration
again.
`,
    load: async () => endingWith((await import("./run.ts")).run),
  },
  {
    name: "check",
    summary: "check configuration files and print every problem",
    help: `usage: causeway check [--json] [--against URL] <file-or-folder>…

Reads the files, and all *.yaml and *.yml files of the folders, as one
configuration, and prints every problem as

  file:line:column: path: what is wrong; what to write instead

  --json            print { "issues": […], "errors": N, "warnings": N } instead
  --against URL     say also what it would change in the gateway whose admin API
                    this is, such as http://127.0.0.1:9901, and what that means
                    for open sessions; nothing is changed
  --token TOKEN     the token of the admin API (better: CAUSEWAY_ADMIN_TOKEN)

Exit codes: 0 no errors (there may be warnings), 1 errors, 2 wrong use.
`,
    load: async () => (await import("./check.ts")).check,
  },
  {
    name: "demo",
    summary: "run the gateway in front of three example applications",
    help: `usage: causeway demo [--port N] [--host ADDRESS] [--verbose]

Starts the example applications, each its own process, and the gateway in front
of them.

  --port N        the gateway's port; 8080 unless told, or another free one if
                  that is taken
  --host ADDRESS  the gateway's address; 127.0.0.1 unless told, 0.0.0.0 to be
                  reached from other machines
  --verbose       show everything the gateway logs
`,
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    name: "sessions",
    summary: "list open sessions, or close some",
    help: `usage: causeway sessions [list] [conditions] [--limit N] [--json]
       causeway sessions close <id> [--code N] [--reason TEXT]
       causeway sessions close <conditions> [--code N] [--reason TEXT]

Conditions, which hold together:
  --id, --worker, --route, --upstream, --endpoint, --listener, --host,
  --client NAME
  --state STATE     open or closing

Options:
  --limit N         list at most N sessions, the oldest ones (1000)
  --code N          the close code that both sides get: 1000-1003, 1007-1014 or
                    3000-4999 (1000)
  --reason TEXT     the close reason, at most 123 bytes
  --json            print what the admin API answers
${adminHelp}
`,
    load: async () => (await import("./sessions.ts")).sessions,
  },
  {
    name: "drain",
    summary: "end sessions spread over a window, and take no new ones",
    help: `usage: causeway drain [what] [--window 60s] [--code N] [--reason TEXT]
       causeway drain [what] --cancel
       causeway drain --list

Gives what is named no new sessions, and ends the open ones with Close frames at
random moments of the window. It stays so until --cancel. Without a name
everything drains, and the gateway is not ready.

  --route NAME      the sessions of a route
  --listener NAME   what comes through a listener; with --route what comes
                    through it to the route
  --upstream NAME   all endpoints of an upstream
  --endpoint H:P    one endpoint, of --upstream or of all that have it

Options:
  --window TIME     how long Close frames are spread over (\`drain.window\` of the
                    configuration)
  --code N          the close code (\`drain.code\`, 1012)
  --reason TEXT     the close reason, at most 123 bytes (\`drain.reason\`)
  --cancel          take a drain back: sessions that are left stay
  --list            say what is drained, and how many sessions are left
  --no-wait         do not wait until the sessions have ended
  --json            progress as JSON lines
${adminHelp}

Exit codes: 0 drained, 1 taken back before or failed, 2 wrong use.
`,
    load: async () => endingWith((await import("./drain.ts")).drain),
  },
  {
    name: "upgrade",
    summary: "hand all sessions over to new worker processes",
    help: `usage: causeway upgrade [--binary PATH] [--linger DURATION]

Starts a new process for each worker, one after the other, which takes over its
listeners, its open sessions and its idle connections; no session is closed and
nothing that is sent is lost. The control process follows. If a new process does
not come up, the old one serves on as if nothing had happened.

Sessions over TLS or HTTP/2 cannot be handed over: the old process stays for
them, takes no new ones, and ends with the last of them.

Options:
  --binary PATH     the program that takes over; the one that runs unless told,
                    as it is on the disk now
  --linger DURATION how long an old process stays before it drains what is left
                    (24h)
  --json            print what the admin API answers
${adminHelp}
`,
    load: async () => (await import("./upgrade.ts")).upgrade,
  },
  {
    name: "schema",
    summary: "print the JSON Schema of the configuration",
    help: `usage: causeway schema

Prints the JSON Schema of the configuration, for editors that check and complete
YAML:

  causeway schema > causeway.schema.json

and as the first line of a configuration

  # yaml-language-server: $schema=causeway.schema.json
`,
    load: async () => (await import("./schema.ts")).schema,
  },
  {
    name: "version",
    summary: "print the version",
    help: "usage: causeway version\n\nPrints the version of Causeway and of the Bun it runs on.\n",
    load: async () => (await import("./version.ts")).version,
  },
  {
    name: "example",
    summary: "run one example application",
    isHidden: true,
    load: async () => (await import("./example.ts")).example,
  },
  {
    name: "tether",
    summary: "run a program for as long as standard input is open",
    isHidden: true,
    load: async () => (await import("./tether.ts")).tether,
  },
  {
    name: "worker",
    summary: "serve traffic for a control process",
    isHidden: true,
    load: async () => endingWith((await import("../worker/main.ts")).runWorker),
  },
];

/** The help page of the program. */
export function helpPage(): string {
  const shown = commands.filter(({ isHidden }) => !isHidden);
  const width = Math.max(...shown.map(({ name }) => name.length)) + 3;
  const lines = shown.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`);
  return `Causeway: a gateway for long-lived connections

usage: causeway <command> …

${lines.join("\n")}

causeway <command> --help says more. Exit codes: 0 fine, 1 failed, 2 wrong use.
`;
}
