import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pageUrl } from "../../examples/shared/example.ts";
import { formatAddress } from "../core/snapshot.ts";
import { OwnedFolder } from "../kit/owned-folder.ts";
import { sleep, within } from "../kit/sleep.ts";
import { authorityFile, certificateFile, keyFile, writeDemoCertificate } from "./demo-certificate.ts";
import { type ChildPlan, DemoChild } from "./demo-child.ts";
import { demoConfiguration } from "./demo-configuration.ts";
import { DemoPage, type DemoWords } from "./demo-page.ts";
import { type FoundRedis, findRedis } from "./demo-redis.ts";
import { freePort, isFree } from "./free-port.ts";
import { selfCommand } from "./self.ts";

/** What the demo is told. */
export type DemoOptions = {
  readonly host: string;
  /** Undefined: 8080, or another free port. */
  readonly port: number | undefined;
  readonly isVerbose: boolean;
};

/** The demo is up, at `url`; or it is not, and why. */
export type DemoUp = { readonly url: string; readonly words: DemoWords } | { readonly problem: string };

const UP_DEADLINE_MS = 20_000;
const EXAMPLE_GRACE_MS = 1_000;
// The gateway's tether takes up to 4 s to cut the gateway and must not be cut before that.
const GATEWAY_GRACE_MS = 6_000;

/** The processes and the folder of one demo. */
export class DemoRun {
  readonly #options: DemoOptions;
  readonly #folder: OwnedFolder;
  readonly #page = DemoPage.open();
  readonly #children: DemoChild[] = [];
  readonly #failed = Promise.withResolvers<string>();
  #gateway: DemoChild | undefined;
  #isClosing = false;

  private constructor(options: DemoOptions, folder: OwnedFolder) {
    this.#options = options;
    this.#folder = folder;
  }

  /** Makes the demo's temporary folder; nothing runs yet. */
  static open(options: DemoOptions): DemoRun {
    return new DemoRun(options, OwnedFolder.make(tmpdir(), "causeway-demo-"));
  }

  /** Resolves, to which and how, when a process ends that should not. */
  get failed(): Promise<string> {
    return this.#failed.promise;
  }

  /** Starts everything and resolves when everything answers; `sessions` is the command that lists sessions. */
  async up(sessions: string): Promise<DemoUp> {
    const { host } = this.#options;
    const [port, adminPort] = [await this.#choosePort(), await this.#chooseAdminPort()];
    if (port === undefined) return { problem: `port ${this.#options.port} is taken; give another one with --port` };
    const securePort = port !== 8443 && (await isFree(host, 8443)) ? 8443 : await freePort(host);
    await writeDemoCertificate(this.#folder.path, host);
    const web = { host, port };
    const admin = `127.0.0.1:${adminPort}`;

    const chats = findRedis(process.env).then((redis) => this.#startChats(redis));
    const [dashboard, closeCodes, { addresses, says }] = await Promise.all([
      this.#startExample("dashboard", {}),
      this.#startExample("close-codes", {
        arguments: ["--host", host],
        environment: { TLS_CERT: join(this.#folder.path, certificateFile), TLS_KEY: join(this.#folder.path, keyFile) },
      }),
      chats,
    ]);
    const file = join(this.#folder.path, "causeway.yaml");
    const url = pageUrl(web);
    const curl = `curl "${url}dashboard/api?id=8&value=300"`;
    const secure = pageUrl({ host, port: securePort }).replace(/^http:/, "https:");
    const isUsualAdmin = adminPort === 9901;
    const words = {
      chat: says,
      curl,
      secure,
      trust: `curl --cacert ${join(this.#folder.path, authorityFile)} ${secure}`,
      sessions: isUsualAdmin ? sessions : `${sessions} --admin http://${admin}`,
      admin: `http://${admin}`,
      file,
    };
    this.#page.show(words);
    const welcome = `127.0.0.1:${this.#page.port}`;
    const own = { web: formatAddress(web), secure: formatAddress({ host, port: securePort }), admin };
    const places = { ...own, welcome, dashboard, chats: addresses, closeCodes };
    await writeFile(file, demoConfiguration(places, { access: this.#options.isVerbose }));
    this.#startGateway(file);

    const paths = ["", "dashboard/healthz", "chat/healthz", "close-codes/healthz"];
    const isUp = await answering([`http://${admin}/readyz`, ...paths.map((path) => url + path)]);
    return isUp ? { url, words } : { problem: `nothing answers at ${url} after ${UP_DEADLINE_MS / 1000} s` };
  }

  /** Ends every process, the gateway first so that its sessions get their Close frames, and removes the folder. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#gateway?.stop(GATEWAY_GRACE_MS);
    await Promise.all(this.#children.map((child) => child.stop(EXAMPLE_GRACE_MS)));
    this.#page[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }

  /** Ends every process at once, also those that hang. */
  cut(): void {
    for (const child of this.#children) child.cut();
  }

  async #choosePort(): Promise<number | undefined> {
    const { host, port } = this.#options;
    if (await isFree(host, port ?? 8080)) return port ?? 8080;
    if (port !== undefined) return undefined;
    const other = await freePort(host);
    process.stdout.write(`Port 8080 is taken; the demo uses ${other}.\n`);
    return other;
  }

  async #chooseAdminPort(): Promise<number> {
    return (await isFree("127.0.0.1", 9901)) ? 9901 : freePort("127.0.0.1");
  }

  async #startChats(redis: FoundRedis): Promise<{ readonly addresses: readonly string[]; readonly says: string }> {
    const names = redis.url === undefined ? ["chat"] : ["chat-1", "chat-2"];
    const addresses = await Promise.all(
      names.map((name) => this.#startExample("chat", { name, environment: { CHAT_NAME: name, REDIS_URL: redis.url } })),
    );
    const says =
      redis.url === undefined
        ? `One instance runs: no Redis answers at ${redis.asked}.`
        : `Two instances run and share their messages through Redis at ${redis.asked}.`;
    return { addresses, says };
  }

  /** Starts an example on a port of its choice and resolves to its address. */
  async #startExample(
    example: string,
    more: { readonly name?: string; readonly arguments?: readonly string[] } & Pick<ChildPlan, "environment">,
  ): Promise<string> {
    const name = more.name ?? example;
    const command = [
      ...selfCommand(),
      "example",
      example,
      "--port",
      "0",
      "--until-stdin-ends",
      ...(more.arguments ?? []),
    ];
    const child = this.#start({
      name,
      command,
      ...(more.environment ? { environment: more.environment } : {}),
      said: (stream, line) => {
        if (stream === "stderr") process.stderr.write(`${name}: ${line}\n`);
      },
    });
    const line = (await child.firstLine) ?? "";
    // Without an address the child has ended, and `failed` says so; nobody waits for this any longer.
    return URL.parse(line.slice(line.indexOf("http")))?.host ?? new Promise(() => {});
  }

  #startGateway(file: string): void {
    this.#gateway = this.#start({
      name: "gateway",
      command: [...selfCommand(), "tether", this.#folder.path, ...selfCommand(), "run", "--tied", file],
      said: (stream, line) => {
        if (this.#options.isVerbose || (stream === "stderr" && !isInformation(line)))
          process[stream].write(`${line}\n`);
      },
    });
  }

  #start(plan: ChildPlan): DemoChild {
    if (this.#isClosing) throw new Error("the demo is ending");
    const child = DemoChild.start(plan);
    this.#children.push(child);
    child.ended().then((how) => {
      if (!this.#isClosing) this.#failed.resolve(`${plan.name} has ended (${how}), so everything ends`);
    });
    return child;
  }
}

// The gateway's own events on stderr are `<time of day> <level> <words>`.
function isInformation(line: string): boolean {
  return /^\S+ info /.test(line);
}

async function answering(urls: readonly string[]): Promise<boolean> {
  const deadline = Date.now() + UP_DEADLINE_MS;
  for (const url of urls) {
    while (!(await answers(url))) {
      if (Date.now() > deadline) return false;
      await sleep(40);
    }
  }
  return true;
}

async function answers(url: string): Promise<boolean> {
  const asked = fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    (response) => response.ok,
    () => false,
  );
  return within(asked, 1_000, false);
}
