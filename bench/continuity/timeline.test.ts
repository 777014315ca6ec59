import { expect, test } from "bun:test";
import { type Bucket, consequences } from "./timeline.ts";

const quiet: Bucket = { messages: 10, open: 5, lost: 0, refused: 0, longestMs: 3 };
const bad: Bucket = { messages: 4, open: 2, lost: 3, refused: 1, longestMs: 250 };
const deed = { processes: 3 };

test("what happens before the next deed is a consequence of the last one", () => {
  const timeline = { startedAt: 0, bucketMs: 100, buckets: [bad, quiet, quiet, bad, bad, quiet] };
  const found = consequences(timeline, [
    { ...deed, kind: "reload", atMs: 110 },
    { ...deed, kind: "worker killed", atMs: 300 },
    { ...deed, kind: "upgrade", atMs: 510 },
  ]);
  expect(found.map(({ lost, refused, longestMs }) => [lost, refused, longestMs])).toEqual([
    [0, 0, 3],
    [6, 2, 250],
    [0, 0, 3],
  ]);
});
