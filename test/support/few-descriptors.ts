import { closeSync, openSync } from "node:fs";
import { KernelListener } from "../../src/dataplane/net/kernel-listener.ts";
import { kernelLoop } from "../../src/dataplane/net/kernel-loop.ts";
import { fakeOwner } from "./socket-owner-notes.ts";

// A listener in a process that may open few files. Prints its port, and then what became of those who came within a second.

const loop = kernelLoop();
if (loop === undefined) throw new Error("there is no such loop on this system");
let accepted = 0;
const notes = fakeOwner();
notes.act = () => accepted++;
const listener = KernelListener.open({ loop, host: "127.0.0.1", port: 0, owner: notes.owner });

const held: number[] = [];
try {
  for (;;) held.push(openSync("/dev/null", "r"));
} catch {
  for (const descriptor of held.splice(-12)) closeSync(descriptor);
}
process.stdout.write(`${listener?.port}\n`);
await Bun.sleep(1000);
const before = process.cpuUsage();
await Bun.sleep(500);
const { user, system } = process.cpuUsage(before);
const acceptedWithNone = accepted;
for (const descriptor of held) closeSync(descriptor);
notes.act = () => {
  accepted++;
  notes.socket?.end();
};
await Bun.sleep(1000);
process.stdout.write(
  `${JSON.stringify({ acceptedWithNone, cpuMs: (user + system) / 1000, acceptedInTheEnd: accepted })}\n`,
);
process.exit(0);
