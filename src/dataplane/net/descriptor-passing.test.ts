import { expect, test } from "bun:test";
import { closeSync, fstatSync, openSync } from "node:fs";
import { mostDescriptors, receiveDescriptors, sendDescriptors } from "./descriptor-passing.ts";

/** A pair of connected sockets; the other end is held by a process that only waits. */
function pair(): { near: number; end: () => void } {
  const child = Bun.spawn(["sleep", "60"], { stdio: ["ignore", "ignore", "ignore", "socket-fd"] });
  const [, , , near] = child.stdio;
  if (typeof near !== "number") throw new Error("there is no socket");
  return {
    near,
    end: () => {
      child.kill();
      closeSync(near);
    },
  };
}

test("descriptors that are sent through a socket are open in the process that takes them over", async () => {
  const script = `
    import { fstatSync } from "node:fs";
    import { receiveDescriptors } from ${JSON.stringify(new URL("descriptor-passing.ts", import.meta.url).pathname)};
    process.on("message", () => {
      const got = receiveDescriptors(3);
      process.send(got.map((fd) => String(fstatSync(fd).ino)));
      process.disconnect();
    });
    process.send("ready");`;
  const files = Array.from({ length: mostDescriptors }, (_, at) =>
    openSync(at % 2 === 0 ? "/dev/null" : import.meta.path, "r"),
  );
  const answer = Promise.withResolvers<readonly string[]>();
  const child = Bun.spawn([process.execPath, "-e", script], {
    stdio: ["ignore", "inherit", "inherit", "socket-fd"],
    serialization: "json",
    ipc(message) {
      if (message !== "ready") return answer.resolve(message);
      sendDescriptors(Number(child.stdio[3]), files);
      child.send("sent");
    },
  });
  expect(await answer.promise).toEqual(files.map((file) => String(fstatSync(file).ino)));
  for (const file of files) closeSync(file);
  expect(await child.exited).toBe(0);
  closeSync(Number(child.stdio[3]));
});

test("too many descriptors, one that is none, and a message that never came are errors", () => {
  const { near, end } = pair();
  expect(() =>
    sendDescriptors(
      near,
      Array.from({ length: 300 }, () => near),
    ),
  ).toThrow("300 descriptors");
  expect(() => sendDescriptors(near, [99_999])).toThrow("could not be sent");
  expect(() => receiveDescriptors(near)).toThrow("did not come");
  end();
});
