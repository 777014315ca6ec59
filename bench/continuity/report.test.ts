import { expect, test } from "bun:test";
import { someResults } from "../report/samples.ts";
import type { Followed } from "./follow.ts";
import { type Continuity, continuityPage, continuityPicture } from "./report.ts";

const buckets = [9, 9, 0, 9].map((messages) => ({ messages, open: messages, lost: 0, refused: 0, longestMs: 2 }));
const gateway: Followed = {
  title: "A <gateway>",
  deeds: [{ kind: "reload", atMs: 200, processes: 3, lost: 7, refused: 1, longestMs: 20.4 }],
  notes: ["It was started again."],
  timeline: { startedAt: 0, bucketMs: 100, buckets },
};
const continuity: Continuity = {
  date: "2026-01-02T03:04:05.000Z",
  isQuick: false,
  pace: { sessions: 9, leadMs: 1, eachMs: 1, oldStaysSeconds: 3 },
  machine: someResults([]).machine,
  versions: ["nginx 1.22.1"],
  gateways: [gateway],
};

test("the page says what was lost, and what a reader has to know", () => {
  const page = continuityPage(continuity);
  expect(page).toContain("| A <gateway>: reload | 7 | 1 | 20 ms | 3 |");
  expect(page).toContain("- A <gateway>: It was started again.");
});

test("the picture has a line of every bucket, and a mark where something was done", () => {
  const picture = continuityPicture(continuity);
  expect(picture).toContain("A &lt;gateway&gt;");
  expect(picture).not.toContain("<gateway>");
  expect(picture.match(/<polyline/g)).toHaveLength(2);
  expect(/points="([^"]*)"/.exec(picture)?.[1]?.split(" ")).toHaveLength(4);
  expect(picture).toContain('<line class="deed" x1="209"');
});
