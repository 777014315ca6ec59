import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { JsonSocket } from "../../test/support/json-socket.ts";
import type { RunningExample } from "../shared/example.ts";
import { serveChat } from "./app.ts";

const listen = { host: "127.0.0.1", port: 0 };
let app: RunningExample;
beforeAll(() => {
  app = serveChat(listen, { CHAT_NAME: "chat-9" });
});
afterAll(() => app.stop());

async function guest(name: string): Promise<JsonSocket> {
  const socket = await JsonSocket.open(`${app.url}ws`);
  socket.send({ type: "name", name });
  await socket.got({ type: "you" });
  return socket;
}

test("a message reaches every browser, with its author", async () => {
  await using ada = await guest("Ada");
  await using grace = await guest("  Grace ");
  ada.send({ type: "say", text: " hello <b>all</b> " });
  for (const socket of [ada, grace])
    await socket.got({
      type: "line",
      line: { kind: "message", name: "Ada", text: "hello <b>all</b>", instance: "chat-9" },
    });
  await ada.got({ type: "line", line: { kind: "notice", text: "Grace joined" } });
});

test("a browser is told where it is and what was said before", async () => {
  await using ada = await guest("Ada");
  ada.send({ type: "say", text: "for those who come later" });
  await ada.got({ type: "line", line: { text: "for those who come later" } });
  await using late = await JsonSocket.open(`${app.url}ws`);
  const welcome = await late.got({ type: "welcome", instance: "chat-9", sharing: "alone" });
  expect(welcome.lines).toContainEqual(expect.objectContaining({ name: "Ada", text: "for those who come later" }));
});

test("a newcomer gets the last 50 lines", async () => {
  await using ada = await guest("Ada");
  for (let count = 1; count <= 60; count++) ada.send({ type: "say", text: `line ${count}` });
  await ada.got({ type: "line", line: { text: "line 60" } });
  await using late = await JsonSocket.open(`${app.url}ws`);
  const { lines } = await late.got({ type: "welcome" });
  expect(lines).toHaveLength(50);
  expect(lines).toHaveProperty("[0].text", "line 11");
});

test("leaving and renaming are told to the others", async () => {
  await using ada = await guest("Ada");
  const bob = await guest("Bob");
  bob.send({ type: "name", name: "Robert" });
  await ada.got({ type: "line", line: { kind: "notice", text: "Bob is now Robert" } });
  await bob[Symbol.asyncDispose]();
  await ada.got({ type: "line", line: { kind: "notice", text: "Robert left" } });
});

describe("what is wrong is told to its author alone:", () => {
  const wrong: readonly (readonly [string, unknown, string])[] = [
    ["an empty name", { type: "name", name: " " }, "a name must not be empty"],
    ["a long name", { type: "name", name: "x".repeat(25) }, "a name has at most 24 characters, and this has 25"],
    ["a name with a line break", { type: "name", name: "a\nb" }, "a name must not contain control characters"],
    ["a name that turns the direction", { type: "name", name: "a\u202eb" }, "control characters"],
    ["a name that is no text", { type: "name", name: 7 }, "a name must be text"],
    ["an empty message", { type: "say", text: "" }, "a message must not be empty"],
    [
      "a long message",
      { type: "say", text: "x".repeat(501) },
      "a message has at most 500 characters, and this has 501",
    ],
    ["a message without a name", { type: "say", text: "hi" }, "choose a name first"],
    ["an unknown request", { type: "shout" }, "send {"],
    ["something that is no object", [1, 2], "send {"],
    ["null", null, "send {"],
  ];

  test.each(wrong)("%s", async (_name, message, says) => {
    await using other = await JsonSocket.open(`${app.url}ws`);
    await using socket = await JsonSocket.open(`${app.url}ws`);
    socket.send(message);
    const problem = await socket.got({ type: "problem" });
    expect(problem.says).toContain(says);
    await using _witness = await guest("Witness");
    await other.got({ type: "line", line: { text: "Witness joined" } });
    const isHeard = (heard: Readonly<Record<string, unknown>>) =>
      heard.type === "problem" || Bun.deepMatch({ line: { kind: "message" } }, heard);
    expect(other.messages.some(isHeard)).toBe(false);
  });
});

test("500 characters of any plane are a message", async () => {
  await using ada = await guest("Ada");
  const text = "😀".repeat(500);
  ada.send({ type: "say", text });
  await ada.got({ type: "line", line: { text } });
});

test("a stopping server says goodbye with 1001", async () => {
  const other = serveChat(listen, {});
  const socket = await JsonSocket.open(`${other.url}ws`);
  other.stop();
  expect(await socket.ended).toEqual({ code: 1001, reason: "the server is going away", wasClean: true });
});
