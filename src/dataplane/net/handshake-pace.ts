/** How many turns in a row do not wait once a handshake has moved. */
const quickTurns = 16;
/** While a handshake is under way, no turn waits longer (ms). */
const mostWhileUnderWayMs = 1;

/**
 * TLS handshakes of Bun's sockets. Bun takes five of them in a turn of its event loop, and those that wait for the next one are not to be seen
 * from outside: so while there are any, turns follow each other without a rest.
 */
export class HandshakePace {
  #underWay = 0;
  #quickTurns = 0;

  began(): void {
    this.#underWay++;
    this.moved();
  }

  /** Something was heard of one. */
  moved(): void {
    this.#quickTurns = quickTurns;
  }

  ended(): void {
    this.#underWay--;
    this.moved();
  }

  /** How long the next turn may wait (ms), if it may wait for `mostMs` otherwise. */
  patienceMs(mostMs: number): number {
    if (this.#quickTurns > 0) {
      this.#quickTurns--;
      return 0;
    }
    return this.#underWay > 0 ? Math.min(mostWhileUnderWayMs, mostMs) : mostMs;
  }
}

/** That of this process, which has one event loop. */
export const handshakePace = new HandshakePace();
