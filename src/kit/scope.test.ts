import { expect, test } from "bun:test";
import { Scope } from "./scope.ts";

function thing(name: string, log: string[]): Disposable {
  return { [Symbol.dispose]: () => log.push(name) };
}

test("everything is given back once, the last first", () => {
  const log: string[] = [];
  const scope = new Scope();
  for (const name of ["a", "b", "c"]) scope.use(thing(name, log));
  scope[Symbol.dispose]();
  scope[Symbol.dispose]();
  expect(log).toEqual(["c", "b", "a"]);
  expect(scope.disposed).toBe(true);
});

test("what was released is not given back, whichever it was", () => {
  for (const [released, left] of [
    [0, ["c", "b"]],
    [1, ["c", "a"]],
    [2, ["b", "a"]],
  ] as const) {
    const log: string[] = [];
    const scope = new Scope();
    const things = ["a", "b", "c"].map((name) => thing(name, log));
    for (const each of things) scope.use(each);
    scope.release(things[released] as Disposable);
    scope[Symbol.dispose]();
    expect(log).toEqual([...left]);
  }
});

test("a scope of one thing that was released holds others again", () => {
  const log: string[] = [];
  const scope = new Scope();
  const first = thing("a", log);
  scope.use(first);
  scope.release(first);
  scope.use(thing("b", log));
  scope.defer(() => log.push("c"));
  scope[Symbol.dispose]();
  expect(log).toEqual(["c", "b"]);
});

test("where one throws the others are given back all the same", () => {
  const log: string[] = [];
  const scope = new Scope();
  scope.use(thing("a", log));
  scope.defer(() => {
    throw new Error("broken");
  });
  scope.use(thing("c", log));
  expect(() => scope[Symbol.dispose]()).toThrow("broken");
  expect(log).toEqual(["c", "a"]);
});

test("a scope that has ended takes nothing more", () => {
  const scope = new Scope();
  scope[Symbol.dispose]();
  expect(() => scope.use(thing("a", []))).toThrow(ReferenceError);
});

test("what moves out of a scope is given back by whoever has it, once, and without a scope if it is one thing", () => {
  for (const names of [["a"], ["a", "b"], []]) {
    const log: string[] = [];
    const scope = new Scope();
    const things = names.map((name) => thing(name, log));
    for (const each of things) scope.use(each);
    const moved = scope.move();
    expect(things.length === 1).toBe(moved === things[0] && things.length > 0);
    expect(scope.disposed).toBe(true);
    expect(() => scope.use(thing("c", log))).toThrow("ended");
    scope[Symbol.dispose]();
    expect(log).toEqual([]);
    moved[Symbol.dispose]();
    expect(log).toEqual([...names].reverse());
  }
});
