import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, type Subprocess } from "bun";
import { sleep } from "../../src/kit/sleep.ts";
import { portToName } from "./port-to-name.ts";

const DEADLINE_MS = 5_000;

/** A Redis of a test's own: on a free port, nothing kept, gone with the test. */
export class RedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string;
  #process: Subprocess | undefined;

  private constructor(port: number, folder: string) {
    this.#port = port;
    this.#folder = folder;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** Starts a server and waits until it answers. */
  static async open(): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), "causeway-redis-"));
    const server = new RedisServer(await portToName(), folder);
    await server.start();
    return server;
  }

  /** Starts the server, again after `kill`, on the same port. */
  async start(): Promise<void> {
    const options = ["--bind", "127.0.0.1", "--port", String(this.#port), "--save", "", "--appendonly", "no"];
    this.#process = Bun.spawn(["redis-server", ...options, "--dir", this.#folder], {
      stdout: "ignore",
      stderr: "ignore",
    });
    const deadline = Date.now() + DEADLINE_MS;
    while (!(await this.#answers())) {
      if (Date.now() > deadline) throw new Error("redis-server does not answer");
      await sleep(20);
    }
  }

  /** Ends the server without a goodbye. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const client = new RedisClient(this.url, { autoReconnect: false, connectionTimeout: 500 });
    try {
      await client.ping();
      return true;
    } catch {
      return false;
    } finally {
      client.close();
    }
  }
}
