import { expect, test } from "bun:test";
import { RetryBudget } from "./retry-budget.ts";

/** How many of these are granted when as many as possible are asked for. */
function taken(budget: RetryBudget, asked = 1000): number {
  let granted = 0;
  for (let at = 0; at < asked; at++) if (budget.take()) granted++;
  return granted;
}

test("ten retries are there before any traffic has come", () => {
  expect(taken(new RetryBudget(() => 0))).toBe(10);
});

test("exchanges earn a share of retries", () => {
  const budget = new RetryBudget(() => 0);
  taken(budget);
  for (let at = 0; at < 100; at++) budget.earn(20);
  expect(taken(budget)).toBe(20);
});

test("what is saved has an end", () => {
  const budget = new RetryBudget(() => 0);
  for (let at = 0; at < 10_000; at++) budget.earn(100);
  expect(taken(budget)).toBe(100);
});

test("one a second comes back without traffic, up to ten", () => {
  let now = 0;
  const budget = new RetryBudget(() => now);
  taken(budget);
  now = 3000;
  expect(taken(budget)).toBe(3);
  now = 3_000_000;
  expect(taken(budget)).toBe(10);
});
