import { sleep } from "../../src/kit/sleep.ts";
import { Random } from "../support/random.ts";
import type { RunningGateway } from "../support/running-gateway.ts";
import { WsPeer } from "../support/ws.ts";
import { type Load, type LoadOptions, repeat } from "./load.ts";

/** Sessions that an operator closes, with a code and a reason that have to arrive. */
export class AdminCloses implements Load {
  readonly name = "closes by the admin API";
  done = 0;
  readonly #options: LoadOptions;
  readonly #gateway: RunningGateway;
  readonly #random: Random;

  constructor(options: LoadOptions & { readonly gateway: RunningGateway }) {
    this.#options = options;
    this.#gateway = options.gateway;
    this.#random = new Random(options.seed);
  }

  run(signal: AbortSignal): Promise<void> {
    const { findings } = this.#options;
    return repeat(() => this.#closeOne(signal), { times: 1, signal, name: "admin", findings });
  }

  async #closeOne(signal: AbortSignal): Promise<void> {
    const peer = await WsPeer.open(this.#options.port, { path: "/closed/" });
    await sleep(this.#random.below(400), signal);
    const { body } = await this.#gateway.admin("/api/sessions?route=closed");
    // The shape is the admin API's own.
    const [session] = body.items as { id: string }[];
    if (session === undefined) throw new Error("the session is not in the list");
    const code = 4000 + this.#random.below(1000);
    const { status } = await this.#gateway.admin(`/api/sessions/${session.id}?code=${code}&reason=soak`, "DELETE");
    const end = await peer.untilEnd(10_000);
    if (status >= 300 || end.code !== code || end.reason !== "soak")
      throw new Error(`DELETE answered ${status}, and the session ended with ${end.code} ${end.reason}, not ${code}`);
    this.done++;
  }
}
