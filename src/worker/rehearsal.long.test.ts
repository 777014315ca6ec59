import { expect, test } from "bun:test";
import { openDescriptors } from "../../test/support/process-figures.ts";
import { rehearse } from "./rehearsal.ts";

test("a rehearsal goes through thousands of sockets, and leaves none", async () => {
  expect(await rehearse()).toEqual({ sessions: 2000 });
  const before = openDescriptors(process.pid);
  for (let time = 0; time < 3; time++) {
    await rehearse();
    expect(openDescriptors(process.pid)).toBe(before);
  }
});

test("a rehearsal that runs out of descriptors says so, and leaves none", async () => {
  const script = `
    const { rehearse } = await import("${import.meta.dir}/rehearsal.ts");
    const { readdirSync } = require("node:fs");
    const open = () => readdirSync("/proc/self/fd").length;
    // What is opened once and stays.
    await rehearse();
    const before = open();
    const { sessions, fault } = await rehearse();
    console.log(sessions, fault?.message, open() - before);`;
  const command = ["bash", "-c", `ulimit -n 200 && exec "$0" -e "$1"`, process.execPath, script];
  const child = Bun.spawn(command, { stdout: "pipe" });
  expect(await new Response(child.stdout).text()).toMatch(/^0 descriptor [0-9]+ could not be copied 0\n$/);
});
