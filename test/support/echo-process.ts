import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("echo-server.ts", import.meta.url));

/** The echo application as a process that can be killed, stopped, slowed, and started again on its port. */
export class EchoProcess implements AsyncDisposable {
  readonly port: number;
  #process: Bun.Subprocess<"ignore", "pipe", "inherit">;

  private constructor(port: number, process: Bun.Subprocess<"ignore", "pipe", "inherit">) {
    this.port = port;
    this.#process = process;
  }

  static async open(): Promise<EchoProcess> {
    const { port, process } = await start(0);
    return new EchoProcess(port, process);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process.kill(signal);
  }

  /** Ends it without a goodbye. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async restart(): Promise<void> {
    this.#process = (await start(this.port)).process;
  }

  /** How long it waits before every answer and every 101, in milliseconds. */
  async slow(ms: number): Promise<void> {
    await fetch(`http://${this.address}/slow?ms=${ms}`, { method: "POST" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

async function start(wanted: number): Promise<{ port: number; process: Bun.Subprocess<"ignore", "pipe", "inherit"> }> {
  const command = [process.execPath, script, String(wanted)];
  const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const chunk of child.stdout) {
    const port = Number.parseInt(new TextDecoder().decode(chunk), 10);
    if (port > 0) return { port, process: child };
  }
  throw new Error("the application did not start");
}
