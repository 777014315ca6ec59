import { sleep } from "../../src/kit/sleep.ts";
import type { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { type Load, type LoadOptions, repeat } from "./load.ts";
import { type Site, siteText } from "./site.ts";

const pauseMs = 1000;
/** A saved change is live within a second; a busy machine may take longer (ms). */
const patienceMs = 10_000;

/** Changes of the configuration; every fifth one is broken, and must change nothing. */
export class Reloads implements Load {
  readonly name = "reloads";
  done = 0;
  readonly #options: LoadOptions;
  readonly #gateway: RunningGateway;
  readonly #site: Site;
  #turn = 0;

  constructor(options: LoadOptions & { readonly gateway: RunningGateway; readonly site: Site }) {
    this.#options = options;
    this.#gateway = options.gateway;
    this.#site = options.site;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { findings } = this.#options;
    await repeat(() => this.#reload(signal), { times: 1, signal, name: "reload", findings });
    // What is left is the same after every run.
    this.#gateway.write(siteText(this.#site, 0));
    await this.#untilServed(0).catch((error: unknown) => findings.add(`reload: ${String(error)}`));
  }

  async #reload(signal: AbortSignal): Promise<void> {
    this.#turn++;
    if (this.#turn % 5 === 0) await this.#break();
    this.#gateway.write(siteText(this.#site, this.#turn));
    await this.#untilServed(this.#turn);
    this.done++;
    await sleep(pauseMs, signal);
  }

  async #break(): Promise<void> {
    this.#gateway.write(siteText(this.#site, this.#turn).replace('"keepalive"', '"keepalife"'));
    const isRefused = async () => {
      const { body } = await this.#gateway.admin("/api/issues");
      return JSON.stringify(body).includes("keepalife");
    };
    await until(isRefused, patienceMs);
  }

  /** Waits until the route of this turn is there. */
  async #untilServed(turn: number): Promise<void> {
    const url = `http://127.0.0.1:${this.#options.port}/turning/${turn}`;
    const isServed = async () => {
      const response = await fetch(url, { headers: { Connection: "close" } });
      await response.text();
      return response.status === 200;
    };
    await until(isServed, patienceMs);
  }
}
