const slotsPerLevel = 256;
/** How many ticks one slot of each level spans. */
const slotTicks = [1, 256, 65_536, 16_777_216] as const;
const horizonTicks = 4_294_967_296;
/** The level of a timer whose time has come. */
const dueLevel = -1;

/** Reads a monotonic clock, in milliseconds. */
export type Clock = () => number;

/** What a wheel can wait for: made once, and armed and disarmed on one wheel as often as wanted without allocation. */
export abstract class Timed {
  /** The links and the place belong to the wheel. What is linked to itself is not armed. */
  previous: Timed = this;
  next: Timed = this;
  dueTick = 0;
  level = 0;

  /** Called by the wheel when the time has come. */
  abstract fire(): void;

  get isArmed(): boolean {
    return this.next !== this;
  }
}

/** Something to do when a time has come. What exists by the hundred thousand is better `Timed` itself. */
export class Timer extends Timed {
  readonly #act: (timer: Timer) => void;

  constructor(act: (timer: Timer) => void) {
    super();
    this.#act = act;
  }

  fire(): void {
    this.#act(this);
  }
}

/**
 * `tickMs` is 25 by default. `clock` is the process's monotonic clock by default; with `simulated`, time begins at 0 and
 * only `advance` moves it. `onError` is told what a timer threw; by default that is an uncaught exception.
 */
export type TimerWheelOptions = {
  readonly tickMs?: number;
  readonly clock?: Clock | "simulated";
  readonly onError?: (thrown: unknown) => void;
};

/**
 * Hundreds of thousands of timers on one system timer: a hierarchical wheel on which arming, disarming and firing are O(1).
 * A timer never fires early, and at most one tick late unless the event loop is blocked.
 */
export class TimerWheel implements Disposable {
  readonly tickMs: number;
  readonly #clock: Clock | undefined;
  readonly #onError: (thrown: unknown) => void;
  readonly #origin: number;
  /** One sentinel a slot, level after level. */
  readonly #slots: readonly Timed[];
  /** Timers whose time has come and that have not fired yet. */
  readonly #due = new Timer(unreachable);
  /** The first tick that was not processed yet. */
  #nextTick = 1;
  /** How many timers wait in each level. */
  readonly #waiting = [0, 0, 0, 0];
  #now: number;
  #armed = 0;
  #isStarted = false;
  #sleep: ReturnType<typeof setTimeout> | undefined;

  constructor(options: TimerWheelOptions = {}) {
    this.tickMs = options.tickMs ?? 25;
    this.#clock = options.clock === "simulated" ? undefined : (options.clock ?? (() => performance.now()));
    this.#onError = options.onError ?? throwLater;
    this.#origin = this.#clock?.() ?? 0;
    this.#now = this.#origin;
    this.#slots = Array.from({ length: slotsPerLevel * slotTicks.length }, () => new Timer(unreachable));
  }

  /** How many timers are armed. */
  get armed(): number {
    return this.#armed;
  }

  /** The time in ms as of the last tick, which is cheap; exact while no timer is armed, because nothing ticks then. */
  get now(): number {
    return this.#sleep === undefined ? this.clock() : this.#now;
  }

  /** The exact time in ms. */
  clock(): number {
    return this.#clock === undefined ? this.#now : this.#clock();
  }

  /** Lets `timer` fire once, `delayMs` from now; a timer that is armed already is moved. */
  arm(timer: Timed, delayMs: number): void {
    if (!Number.isFinite(delayMs)) throw new RangeError(`a timer cannot wait for ${delayMs} ms`);
    this.disarm(timer);
    const now = this.clock();
    if (this.#armed === 0) this.#skipTo(now);
    timer.dueTick = Math.ceil((now + delayMs - this.#origin) / this.tickMs);
    this.#armed++;
    this.#place(timer);
    this.#ensureTicking();
  }

  /** Takes back `arm`; nothing happens if the timer is not armed. */
  disarm(timer: Timed): void {
    if (!timer.isArmed) return;
    this.#leaveLevel(timer);
    this.#armed--;
    unlink(timer);
  }

  /** From now on timers fire by themselves; the process is woken only while one is armed. */
  start(): this {
    this.#isStarted = true;
    this.#ensureTicking();
    return this;
  }

  /** Fires everything that is due at `toMs`, tick by tick; for simulated clocks. */
  advance(toMs: number): void {
    const lastTick = Math.floor((toMs - this.#origin) / this.tickMs);
    this.#fireDue();
    while (this.#nextTick <= lastTick && this.#armed > 0) {
      const busyTick = this.#nextBusyTick();
      if (busyTick === this.#nextTick) this.#processTick();
      else this.#nextTick = Math.min(lastTick + 1, busyTick);
    }
    if (this.#armed === 0) this.#skipTo(toMs);
    this.#now = Math.max(this.#now, toMs);
  }

  /** Nothing fires by itself any more. */
  [Symbol.dispose](): void {
    this.#isStarted = false;
    clearTimeout(this.#sleep);
    this.#sleep = undefined;
  }

  /** While the nearest levels are empty, nothing happens before the next slot of the first level that is not. */
  #nextBusyTick(): number {
    let level = 0;
    while (level < slotTicks.length - 1 && this.#waiting[level] === 0) level++;
    const span = slotTicks[level] as number;
    return Math.ceil(this.#nextTick / span) * span;
  }

  #processTick(): void {
    const tick = this.#nextTick;
    this.#now = Math.max(this.#now, this.#origin + tick * this.tickMs);
    for (let level = 1; level < slotTicks.length && tick % (slotTicks[level] as number) === 0; level++) {
      this.#cascade(this.#slot(level, tick));
    }
    this.#nextTick = tick + 1;
    this.#moveToDue(this.#slot(0, tick));
    this.#fireDue();
  }

  /** Spreads the timers of a far slot, whose span begins now, over nearer ones. */
  #cascade(slot: Timed): void {
    let timer = slot.next;
    slot.next = slot.previous = slot;
    while (timer !== slot) {
      const next = timer.next;
      this.#leaveLevel(timer);
      this.#place(timer);
      timer = next;
    }
  }

  /** Due timers leave the slot before the first one fires: what it arms may belong into the same slot, a revolution later. */
  #moveToDue(slot: Timed): void {
    for (let timer = slot.next; timer !== slot; timer = slot.next) {
      unlink(timer);
      this.#leaveLevel(timer);
      timer.level = dueLevel;
      append(this.#due, timer);
    }
  }

  #fireDue(): void {
    for (let timer = this.#due.next; timer !== this.#due; timer = this.#due.next) {
      unlink(timer);
      this.#armed--;
      try {
        timer.fire();
      } catch (thrown) {
        this.#onError(thrown);
      }
    }
  }

  #place(timer: Timed): void {
    const tick = Math.max(timer.dueTick, this.#nextTick);
    const distance = tick - this.#nextTick;
    let level = 0;
    while (level < slotTicks.length - 1 && distance >= (slotTicks[level + 1] as number)) level++;
    timer.level = level;
    this.#waiting[level] = (this.#waiting[level] as number) + 1;
    // What lies past the horizon waits in the farthest slot and is placed again from there.
    append(this.#slot(level, distance < horizonTicks ? tick : this.#nextTick + horizonTicks - 1), timer);
  }

  #leaveLevel(timer: Timed): void {
    if (timer.level !== dueLevel) this.#waiting[timer.level] = (this.#waiting[timer.level] as number) - 1;
  }

  #slot(level: number, tick: number): Timed {
    const at = Math.floor(tick / (slotTicks[level] as number)) % slotsPerLevel;
    return this.#slots[level * slotsPerLevel + at] as Timed;
  }

  /** An empty wheel has nothing to process in between. */
  #skipTo(now: number): void {
    this.#nextTick = Math.max(this.#nextTick, Math.floor((now - this.#origin) / this.tickMs) + 1);
  }

  #ensureTicking(): void {
    if (!this.#isStarted || this.#sleep !== undefined || this.#armed === 0 || this.#clock === undefined) return;
    const now = this.#clock();
    this.#now = Math.max(this.#now, now);
    // Waking on the borders of ticks, and not at an interval of any phase, is what keeps a timer within one tick.
    const elapsed = now - this.#origin;
    this.#sleep = setTimeout(this.#wake, Math.ceil(this.tickMs - (elapsed % this.tickMs)));
  }

  readonly #wake = (): void => {
    try {
      this.advance(this.clock());
    } finally {
      this.#sleep = undefined;
      this.#ensureTicking();
    }
  };
}

function append(list: Timed, timer: Timed): void {
  const last = list.previous;
  timer.previous = last;
  timer.next = list;
  last.next = timer;
  list.previous = timer;
}

function unlink(timer: Timed): void {
  timer.previous.next = timer.next;
  timer.next.previous = timer.previous;
  timer.previous = timer.next = timer;
}

function unreachable(): never {
  throw new Error("a slot of the timer wheel fired");
}

function throwLater(thrown: unknown): void {
  queueMicrotask(() => {
    throw thrown;
  });
}
