import { expect, test } from "bun:test";
import { LineOutput } from "./line-output.ts";

test("lines of one turn go out in one write, in order", async () => {
  const writes: string[] = [];
  const output = new LineOutput(async (text) => void writes.push(text));
  output.add("a");
  output.add("b");
  await output.flush(1000);
  output.add("c");
  await output.flush(1000);
  expect(writes).toEqual(["a\nb\n", "c\n"]);
});

test("while nobody reads, lines wait up to the limit and the rest is counted; then it goes on", async () => {
  const writes: string[] = [];
  let release = (): void => {};
  const output = new LineOutput((text) => {
    writes.push(text);
    return new Promise((resolve) => {
      release = resolve;
    });
  }, 100);
  output.add("first");
  await Promise.resolve();
  const taken = Array.from({ length: 50 }, () => output.add("123456789"));
  expect(taken.filter((isTaken) => isTaken).length).toBe(10);
  expect(output.dropped).toBe(40);
  await output.flush(5);
  expect(writes).toEqual(["first\n"]);
  release();
  await Promise.resolve();
  await Promise.resolve();
  expect(writes[1]).toBe("123456789\n".repeat(10));
  expect(output.add("again")).toBe(true);
});

test("a large backlog is written in pieces", async () => {
  const writes: string[] = [];
  const output = new LineOutput(async (text) => void writes.push(text));
  for (let at = 0; at < 100; at++) output.add("x".repeat(10_000));
  await output.flush(1000);
  expect(writes.length).toBeGreaterThan(10);
  expect(writes.join("").length).toBe(100 * 10_001);
});

test("after the reader is gone everything is dropped and counted", async () => {
  const output = new LineOutput(async () => {
    throw new Error("EPIPE");
  });
  output.add("a");
  await output.flush(1000);
  expect(output.add("b")).toBe(false);
  expect(output.dropped).toBe(1);
});

test("a process whose standard output nobody reads goes on", async () => {
  const script = `
    import { LineOutput, writeTo } from "${import.meta.dir}/line-output.ts";
    const output = new LineOutput(writeTo(process.stdout), 200_000);
    const fill = setInterval(() => {
      for (let at = 0; at < 100; at++) output.add("x".repeat(5_000));
      if (output.dropped < 200) return;
      clearInterval(fill);
      process.stderr.write("still here", () => process.exit(0));
    }, 1);
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  expect(await new Response(child.stderr).text()).toBe("still here");
  expect(await child.exited).toBe(0);
});
