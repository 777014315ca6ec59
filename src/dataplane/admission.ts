import { SharedMemory } from "../kit/shared-memory.ts";
import { SharedRates } from "../kit/shared-rates.ts";

/** How many handshakes beyond an even pace may come at once: those of this part of a second. */
const burstPart = 0.1;

/**
 * How fast listeners let new sessions in, so that clients that come back all at once do not overrun what is behind the gateway. Gateways
 * that share their memory count together.
 */
export class Admission {
  readonly #memory: SharedMemory | undefined;
  #rates: SharedRates | undefined;

  constructor(memory: SharedMemory | undefined) {
    this.#memory = memory;
  }

  /** Takes a handshake of a listener in, or does not. `perSecond` 0 is any number; `now` is the monotonic clock in ms. */
  admits(listener: string, perSecond: number, now: number): boolean {
    if (perSecond === 0) return true;
    this.#rates ??= new SharedRates(this.#memory ?? SharedMemory.alone());
    const limit = { rate: perSecond, burst: Math.max(1, perSecond * burstPart) };
    return this.#rates.take(`handshakes ${listener}`, limit, now) === 0;
  }
}
