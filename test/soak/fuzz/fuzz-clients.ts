import { sleep } from "../../../src/kit/sleep.ts";
import { handshake } from "../../support/handshake.ts";
import { Random } from "../../support/random.ts";
import { RawClient } from "../../support/raw-client.ts";
import { type Load, type LoadOptions, repeat } from "../load.ts";
import { mutate } from "./mutate.ts";
import { sampleFrames, sampleRequest } from "./samples.ts";
import { answerProblem } from "./well-formed.ts";

/** Connections at a time; most wait for a timeout of the gateway. */
const clients = 40;
/** How long the gateway may keep a connection that its client has ended: three times its own limit (ms). */
const patienceMs = 30_000;

/**
 * Connections that send broken heads, bodies and frames in broken pieces (AC-7.2). Attack `n` of a seed always sends the same, and its
 * application answers it the same. Whatever comes back has to be well-formed, and the connection has to end.
 */
export class FuzzClients implements Load {
  readonly name = "fuzzed connections";
  done = 0;
  readonly #options: LoadOptions;
  #next = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  run(signal: AbortSignal): Promise<void> {
    const { findings } = this.#options;
    return repeat(() => this.#attack(this.#next++), { times: clients, signal, name: "fuzz", findings });
  }

  async #attack(number: number): Promise<void> {
    const random = new Random(this.#options.seed + number);
    const client = await RawClient.open(this.#options.port);
    try {
      await this.#send(client, number, random);
      const problem = answerProblem(client.received);
      if (problem !== undefined) throw new Error(problem);
      this.done++;
    } catch (error) {
      throw new Error(`attack ${number}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      client.reset();
    }
  }

  async #send(client: RawClient, number: number, random: Random): Promise<void> {
    const bytes = attackBytes(`/fuzz/${number}`, random);
    for (const piece of random.cut(bytes, random.pick([30, 2000, 1_000_000]))) {
      client.write(piece);
      if (random.below(40) === 0) await sleep(random.below(4));
    }
    const ending = random.pick(["fin", "reset", "late fin"] as const);
    if (ending === "reset") return;
    if (ending === "late fin") await sleep(random.below(1500));
    client.end();
    await client.untilEnd(patienceMs);
  }
}

export function attackBytes(target: string, random: Random): Uint8Array {
  switch (random.below(8)) {
    case 0:
      return random.bytes(1 + random.below(3000));
    case 1:
    case 2:
      return Buffer.concat([Buffer.from(handshake({ target })), sampleFrames("client", random)]);
    case 3:
      return Buffer.concat([Buffer.from(handshake({ target })), mutate(sampleFrames("client", random), random)]);
    case 4:
      // Only the application is out of its mind.
      return sampleRequest(target, random);
    default:
      return mutate(sampleRequest(target, random), random);
  }
}
