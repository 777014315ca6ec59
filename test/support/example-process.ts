import { selfCommand } from "../../src/cli/self.ts";

export type ExampleOptions = {
  /** Free unless given. */
  readonly port?: number;
  /** More of the environment. */
  readonly environment?: Readonly<Record<string, string>>;
};

/** One of the example applications as a process of its own, which can be killed. */
export class ExampleProcess implements AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
  readonly #process: Bun.Subprocess<"ignore", "pipe", "inherit">;

  private constructor(address: string, process: Bun.Subprocess<"ignore", "pipe", "inherit">) {
    this.address = address;
    this.#process = process;
  }

  /** Starts it and waits until its port is open. */
  static async open(name: "dashboard" | "chat" | "close-codes", how: ExampleOptions = {}): Promise<ExampleProcess> {
    const command = [...selfCommand(), "example", name, "--port", String(how.port ?? 0)];
    const env = { ...process.env, ...how.environment };
    const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "inherit"], env });
    let text = "";
    for await (const chunk of child.stdout) {
      text += new TextDecoder().decode(chunk);
      if (text.includes("\n")) break;
    }
    const address = /http:\/\/([^/]+)\//.exec(text)?.[1];
    if (address === undefined) throw new Error(`${name} did not start`);
    return new ExampleProcess(address, child);
  }

  /** Ends it without a goodbye. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
