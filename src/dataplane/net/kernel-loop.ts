import { Epoll, happenings } from "./epoll.ts";
import { findBunsEpoll } from "./find-buns-epoll.ts";
import { handshakePace } from "./handshake-pace.ts";
import { type Outbox, outbox } from "./outbox.ts";
import { systemCalls } from "./system-calls.ts";

/** One that is watched by its descriptor. */
export interface Watched {
  readonly descriptor: number;
  /** Tells it from others that had the same descriptor; the loop's. */
  generation: number;
  /** Something has happened: a set of `happenings`. */
  onEvents(events: number): void;
  /** Its next turn has come, which it asked for. */
  goOn(): void;
}

/**
 * How long a turn may be still before Bun has its own (ms): as long as something has happened of late, and once nothing has for `turns` turns.
 * Bun's sockets and threads wake it; timers, and immediates that were asked for out of a promise, do not, and are late by this at most.
 */
export type Stillness = { readonly ofLateMs: number; readonly turns: number; readonly laterMs: number };

const nobody: readonly Watched[] = [];

/**
 * The event loop of our own sockets, inside of Bun's: once per turn of Bun's it waits until there is something to do for either of them.
 * A turn ends by sending what was written in it.
 */
export class KernelLoop {
  stillness: Stillness = { ofLateMs: 1, turns: Number.POSITIVE_INFINITY, laterMs: 1 };
  readonly #epoll: Epoll;
  readonly #outbox: Outbox;
  /** By descriptor. */
  readonly #watched: (Watched | undefined)[] = [];
  #count = 0;
  #generation = 0;
  #again: Watched[] = [];
  /** How many turns in a row nothing has happened in. */
  #stillTurns = 0;
  #isRunning = false;

  private constructor(epoll: Epoll) {
    this.#epoll = epoll;
    this.#outbox = outbox;
  }

  /** Undefined on systems where it cannot work, which have no epoll or no /proc. */
  static open(): KernelLoop | undefined {
    if (process.platform !== "linux") return undefined;
    let epoll: Epoll | undefined;
    try {
      const calls = systemCalls();
      epoll = Epoll.open(calls);
      epoll.add({ descriptor: findBunsEpoll(calls), generation: 0 }, happenings.readable);
      return new KernelLoop(epoll);
    } catch {
      epoll?.close();
      return undefined;
    }
  }

  /** Watches it until it is removed, for a set of `happenings`. Throws if the kernel cannot. */
  add(watched: Watched, wanted: number): void {
    const { descriptor } = watched;
    const generation = (this.#generation + 1) | 0;
    this.#epoll.add({ descriptor, generation }, wanted);
    this.#generation = watched.generation = generation;
    this.#watched[descriptor] = watched;
    this.#count++;
    this.#start();
  }

  /** Before its descriptor is closed, with which the kernel forgets it too. */
  remove({ descriptor }: Watched): void {
    if (this.#watched[descriptor] === undefined) return;
    this.#watched[descriptor] = undefined;
    this.#count--;
  }

  /** The same for one that stays open, here or with somebody else who has it. */
  forget(watched: Watched): void {
    if (this.#watched[watched.descriptor] !== undefined) this.#epoll.remove(watched.descriptor);
    this.remove(watched);
  }

  /** Calls its `goOn` in the next turn, which does not wait then. */
  again(watched: Watched): void {
    this.#again.push(watched);
    this.#start();
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#outbox.isFlushed = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    try {
      this.#outbox.flush();
      if (this.#count === 0 && this.#again.length === 0) this.#stop();
      else this.#work();
    } finally {
      // Whatever happened to one of them, the others go on.
      if (this.#isRunning) setImmediate(this.#turn);
    }
  };

  #stop(): void {
    this.#isRunning = false;
    this.#stillTurns = 0;
    this.#outbox.isFlushed = false;
  }

  get #patienceMs(): number {
    const { ofLateMs, turns, laterMs } = this.stillness;
    return this.#stillTurns < turns ? ofLateMs : laterMs;
  }

  #work(): void {
    let fault: { readonly thrown: unknown } | undefined;
    // Those who ask in this turn are not among them.
    const again = this.#again.length > 0 ? this.#again : nobody;
    if (again !== nobody) this.#again = [];
    const count = this.#epoll.wait(again.length > 0 ? 0 : handshakePace.patienceMs(this.#patienceMs));
    this.#stillTurns = count + again.length > 0 ? 0 : this.#stillTurns + 1;
    for (let index = 0; index < count; index++) {
      const watched = this.#watched[this.#epoll.descriptorAt(index)];
      // What is closed by now may have left an event behind, and its descriptor to somebody else.
      if (watched === undefined || watched.generation !== this.#epoll.generationAt(index)) continue;
      try {
        watched.onEvents(this.#epoll.eventsAt(index));
      } catch (thrown) {
        fault ??= { thrown };
      }
    }
    for (const watched of again) {
      try {
        watched.goOn();
      } catch (thrown) {
        fault ??= { thrown };
      }
    }
    if (fault !== undefined) throw fault.thrown;
  }
}

let opened: { readonly loop: KernelLoop | undefined } | undefined;

/** That of this process; undefined where there is none, and Bun's sockets do it all. */
export function kernelLoop(): KernelLoop | undefined {
  opened ??= { loop: KernelLoop.open() };
  return opened.loop;
}
