import { sleep } from "../../src/kit/sleep.ts";
import { request } from "../support/handshake.ts";
import { Random } from "../support/random.ts";
import { RawClient } from "../support/raw-client.ts";
import { greeting } from "./application.ts";
import { type Load, type LoadOptions, repeat } from "./load.ts";

const clients = 12;
/** How long an answer may take on a busy machine (ms). */
const patienceMs = 20_000;

/** HTTP clients that keep their connection, ask for pages, and send bodies up to several megabytes, which come back. */
export class WebClients implements Load {
  readonly name = "answered requests";
  done = 0;
  readonly #options: LoadOptions;
  readonly #random: Random;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  run(signal: AbortSignal): Promise<void> {
    const { findings } = this.#options;
    return repeat(() => this.#visit(signal), { times: clients, signal, name: "web", findings });
  }

  /** One connection with some requests. */
  async #visit(signal: AbortSignal): Promise<void> {
    await using client = await RawClient.open(this.#options.port);
    const requests = 1 + this.#random.below(60);
    for (let count = 0; count < requests && !signal.aborted; count++) {
      await (this.#random.below(4) === 0 ? this.#upload(client) : this.#get(client));
      this.done++;
      await sleep(this.#random.below(80), signal);
    }
  }

  async #get(client: RawClient): Promise<void> {
    client.write(request({ target: "/web/" }));
    const { status, body } = await client.response("GET", patienceMs);
    if (status !== 200 || body.toString() !== greeting) throw new Error(`GET got ${status} with ${body.length} bytes`);
  }

  async #upload(client: RawClient): Promise<void> {
    const isLarge = this.#random.below(10) === 0;
    const size = this.#random.pick(isLarge ? [1_000_000, 5_000_000] : [1, 1000, 65_536]);
    const sent = Buffer.alloc(size, this.#random.bytes(61));
    client.write(request({ method: "POST", target: "/web/", headers: { "Content-Length": String(size) } }));
    client.write(sent);
    const { status, body } = await client.response("POST", patienceMs);
    if (status !== 200 || !body.equals(sent))
      throw new Error(`POST got ${status} with ${body.length} of ${size} bytes`);
  }
}
