import { expect, test } from "bun:test";
import { HandshakePace } from "./handshake-pace.ts";

/** How long turns may wait one after the other, until that stays the same. */
function waits(pace: HandshakePace): { quick: number; atLast: number } {
  let quick = 0;
  let atLast = pace.patienceMs(10);
  for (; atLast === 0; atLast = pace.patienceMs(10)) quick++;
  return { quick, atLast };
}

test("nobody hurries without a handshake", () => {
  expect(waits(new HandshakePace())).toEqual({ quick: 0, atLast: 10 });
});

test("while one is under way no turn waits long, and after each of its steps some do not wait", () => {
  const pace = new HandshakePace();
  pace.began();
  expect(waits(pace)).toEqual({ quick: 16, atLast: 1 });
  pace.moved();
  expect(waits(pace)).toEqual({ quick: 16, atLast: 1 });
  pace.began();
  pace.ended();
  expect(waits(pace)).toEqual({ quick: 16, atLast: 1 });
  pace.ended();
  expect(waits(pace)).toEqual({ quick: 16, atLast: 10 });
});
