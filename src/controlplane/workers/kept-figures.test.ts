import { expect, test } from "bun:test";
import type { MetricFamily } from "../../core/figures.ts";
import { KeptFigures } from "./kept-figures.ts";

function family(name: string, type: MetricFamily["type"], values: Readonly<Record<string, number>>): MetricFamily {
  const list = Object.entries(values).map(([route, value]) => ({ labels: { route }, value }));
  return { name, help: "Something.", type, values: list };
}

const worker = {};

test("what workers counted outlives them, and is added up", () => {
  const kept = new KeptFigures();
  kept.note(worker, [family("requests", "counter", { a: 1 })]);
  kept.note(worker, [family("requests", "counter", { a: 3, b: 1 })]);
  expect(kept.families).toEqual([]);
  kept.keep(worker);
  kept.keep(worker);
  kept.note(worker, [family("requests", "counter", { a: 10 })]);
  kept.keep(worker);
  expect(kept.families).toEqual([family("requests", "counter", { a: 13, b: 1 })]);
});

test("what was true of a worker that is gone is not true any more", () => {
  const kept = new KeptFigures();
  kept.note(worker, [
    family("sessions_open", "gauge", { a: 3 }),
    family("process_cpu_seconds_total", "counter", { a: 1 }),
  ]);
  kept.keep(worker);
  expect(kept.families).toEqual([]);
});

test("an answer that is read behind a farewell counts nothing twice", () => {
  const kept = new KeptFigures();
  const families = [family("requests", "counter", { a: 3 })];
  kept.note(worker, families);
  kept.keepFarewell(worker, [family("requests", "counter", { a: 4 })]);
  kept.note(worker, families);
  expect(kept.of(worker)).toEqual([]);
  kept.keep(worker);
  expect(kept.families).toEqual([family("requests", "counter", { a: 4 })]);
});

test("one that has said nothing yet counts nothing", () => {
  const kept = new KeptFigures();
  expect(kept.of(worker)).toEqual([]);
  kept.keep(worker);
  expect(kept.families).toEqual([]);
});

test("what sessions have carried is counted by whoever has them", () => {
  const kept = new KeptFigures();
  const before = {};
  kept.note(before, [family("messages", "counter", { a: 100 })]);
  kept.handOver(before);
  kept.keep(before);
  expect(kept.families).toEqual([]);
  const lighter = {};
  kept.note(lighter, [family("messages", "counter", { a: 100 })]);
  kept.noteHandedOver(lighter, [family("messages", "counter", { a: 1 })]);
  kept.handOver(lighter);
  kept.keep(lighter);
  expect(kept.families).toEqual([family("messages", "counter", { a: 1 })]);
});

test("the next process in the place of one that said farewell counts again", () => {
  const kept = new KeptFigures();
  kept.keepFarewell(worker, [family("requests", "counter", { a: 3 })]);
  kept.keep(worker);
  kept.note(worker, [family("requests", "counter", { a: 1 })]);
  expect(kept.of(worker)).toEqual([family("requests", "counter", { a: 1 })]);
});
