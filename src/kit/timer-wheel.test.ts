import { describe, expect, test } from "bun:test";
import { Timer, TimerWheel } from "./timer-wheel.ts";

const day = 86_400_000;

describe("TimerWheel with a simulated clock", () => {
  test("a timer fires within one tick after its time, and never before", () => {
    const wheel = new TimerWheel({ clock: "simulated", tickMs: 25 });
    const delays = [
      0,
      1,
      24,
      25,
      26,
      6_374,
      6_375,
      6_400,
      6_401,
      100_000,
      1_638_399,
      1_638_400,
      3_000_000,
      2 ** 31 + 7,
    ];
    for (const startAt of [0, 13, 6_399, 1_700_000]) {
      wheel.advance(wheel.now + startAt);
      for (const delay of delays) {
        const due = wheel.clock() + delay;
        let firedAt: number | undefined;
        wheel.arm(new Timer(() => (firedAt = wheel.clock())), delay);
        wheel.advance(due + 25);
        expect(firedAt).toBeGreaterThanOrEqual(due);
        expect(firedAt).toBeLessThanOrEqual(due + 25);
      }
    }
  });

  test("many timers that are moved and taken back at random fire exactly when a plain list says", () => {
    const wheel = new TimerWheel({ clock: "simulated", tickMs: 10 });
    const random = mulberry(7);
    const due = new Map<Timer, number>();
    let wrong = 0;
    const timers = Array.from({ length: 500 }, () => {
      return new Timer((timer) => {
        const late = wheel.clock() - (due.get(timer) ?? Number.POSITIVE_INFINITY);
        if (!(late >= 0 && late <= 10)) wrong++;
        due.delete(timer);
      });
    });
    for (let step = 0; step < 20_000; step++) {
      const timer = timers[Math.floor(random() * timers.length)] as Timer;
      if (random() < 0.2) {
        wheel.disarm(timer);
        due.delete(timer);
      } else {
        const delay = Math.floor(10 ** (random() * 7));
        wheel.arm(timer, delay);
        due.set(timer, wheel.clock() + delay);
      }
      if (random() < 0.3) wheel.advance(wheel.clock() + Math.floor(random() * 3_000));
    }
    expect(wheel.armed).toBe(due.size);
    wheel.advance(wheel.clock() + 10 ** 7 + 10);
    expect({ wrong, left: due.size, armed: wheel.armed }).toEqual({ wrong: 0, left: 0, armed: 0 });
  });

  test("a timer that arms itself again keeps its pace through one long step", () => {
    const wheel = new TimerWheel({ clock: "simulated" });
    let fired = 0;
    const ping = new Timer((timer) => {
      fired++;
      wheel.arm(timer, 30_000);
    });
    wheel.arm(ping, 30_000);
    wheel.advance(day);
    expect(fired).toBe(day / 30_000);
  });

  test("a timer armed for a whole revolution from within its own slot waits for that revolution", () => {
    const wheel = new TimerWheel({ clock: "simulated", tickMs: 1 });
    const firedAt: number[] = [];
    const timer = new Timer(() => {
      firedAt.push(wheel.clock());
      if (firedAt.length < 3) wheel.arm(timer, 256);
    });
    wheel.arm(timer, 5);
    wheel.advance(1_000);
    expect(firedAt).toEqual([5, 261, 517]);
  });

  test("a timer can take back another one that is due in the same tick", () => {
    const wheel = new TimerWheel({ clock: "simulated" });
    const fired: string[] = [];
    const second = new Timer(() => fired.push("second"));
    const first = new Timer(() => {
      fired.push("first");
      wheel.disarm(second);
    });
    wheel.arm(first, 10);
    wheel.arm(second, 10);
    wheel.advance(1_000);
    expect(fired).toEqual(["first"]);
    expect(wheel.armed).toBe(0);
  });

  test("a timer that throws is reported, and the others of its tick still fire", () => {
    const reported: unknown[] = [];
    const wheel = new TimerWheel({ clock: "simulated", onError: (thrown) => reported.push(thrown) });
    let fired = 0;
    const failure = new Error("broken");
    for (let count = 0; count < 3; count++) {
      wheel.arm(new Timer(() => fired++), 50);
      wheel.arm(
        new Timer(() => {
          throw failure;
        }),
        50,
      );
    }
    wheel.advance(100);
    expect(reported).toEqual([failure, failure, failure]);
    expect(fired).toBe(3);
  });

  test("no timer is lost even if the error report itself throws", () => {
    const wheel = new TimerWheel({
      clock: "simulated",
      onError: (thrown) => {
        throw thrown;
      },
    });
    let fired = 0;
    wheel.arm(
      new Timer(() => {
        throw new Error("broken");
      }),
      50,
    );
    wheel.arm(new Timer(() => fired++), 50);
    expect(() => wheel.advance(100)).toThrow("broken");
    wheel.advance(100);
    expect(fired).toBe(1);
  });

  test("a wheel that was empty for years needs no time to catch up", () => {
    const wheel = new TimerWheel({ clock: "simulated", tickMs: 1 });
    wheel.advance(5_000 * day);
    let firedAt = 0;
    wheel.arm(new Timer(() => (firedAt = wheel.clock())), 5);
    wheel.advance(5_000 * day + 100);
    expect(firedAt).toBe(5_000 * day + 5);
  });

  test("a delay past the horizon of the wheel is kept", () => {
    const wheel = new TimerWheel({ clock: "simulated", tickMs: 1 });
    const delay = 2 ** 32 + 12_345;
    let firedAt = 0;
    wheel.arm(new Timer(() => (firedAt = wheel.clock())), delay);
    wheel.advance(delay + 1);
    expect(firedAt).toBe(delay);
  });

  test("a delay that is no number is refused", () => {
    const wheel = new TimerWheel({ clock: "simulated" });
    expect(() => wheel.arm(new Timer(() => {}), Number.NaN)).toThrow(RangeError);
    expect(() => wheel.arm(new Timer(() => {}), Number.POSITIVE_INFINITY)).toThrow(RangeError);
  });
});

describe("TimerWheel with the real clock", () => {
  test("timers fire by themselves, not early, and the order is that of their times", async () => {
    using wheel = new TimerWheel({ tickMs: 5 }).start();
    const startedAt = wheel.clock();
    const fired: number[] = [];
    await new Promise<void>((resolve) => {
      for (const delay of [40, 20, 60]) {
        const timer = new Timer(() => {
          expect(wheel.clock() - startedAt).toBeGreaterThanOrEqual(delay);
          fired.push(delay);
          if (delay === 60) resolve();
        });
        wheel.arm(timer, delay);
      }
    });
    expect(fired).toEqual([20, 40, 60]);
  });

  test("a wheel with nothing armed, or disposed of, lets the process end", async () => {
    const script = `
      import { Timer, TimerWheel } from ${JSON.stringify(`${import.meta.dir}/timer-wheel.ts`)};
      const idle = new TimerWheel().start();
      const brief = new TimerWheel().start();
      brief.arm(new Timer(() => console.log("fired")), 30);
      const disposed = new TimerWheel().start();
      disposed.arm(new Timer(() => console.log("never")), 60_000);
      disposed[Symbol.dispose]();
    `;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit", timeout: 10_000 });
    expect(await child.exited).toBe(0);
    expect(await new Response(child.stdout).text()).toBe("fired\n");
  });
});

/** A small seeded generator, so that a failure can be repeated. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
