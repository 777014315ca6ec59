import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { JsonSocket } from "../../test/support/json-socket.ts";
import type { RunningExample } from "../shared/example.ts";
import { serveDashboard } from "./app.ts";

const listen = { host: "127.0.0.1", port: 0 };
let app: RunningExample;
beforeAll(() => {
  app = serveDashboard(listen);
});
afterAll(() => app.stop());

const refused: readonly (readonly [string, string])[] = [
  ["", "id is missing"],
  ["id=8", "value is missing"],
  ["value=300", "id is missing"],
  ["id=0&value=300", "id must be a whole number from 1 to 8, not 0"],
  ["id=9&value=300", "id must be a whole number from 1 to 8, not 9"],
  ["id=&value=300", 'not ""'],
  ["id=one&value=300", 'not "one"'],
  ["id=08&value=300", 'not "08"'],
  ["id=8.0&value=300", 'not "8.0"'],
  ["id=0x8&value=300", 'not "0x8"'],
  ["id=%208&value=300", 'not " 8"'],
  ["id=+8&value=300", 'not " 8"'],
  ["id=%D9%A8&value=300", 'not "٨"'],
  ["id=8&value=-1", 'not "-1"'],
  ["id=8&value=1001", "value must be a whole number from 0 to 1000, not 1001"],
  ["id=8&value=1e2", 'not "1e2"'],
  ["id=8&value=99999999999999999999", "not 99999999999999999999"],
  ["id=8&id=7&value=300", "id is given 2 times"],
  ["id=8&value=300&value=300", "value is given 2 times"],
  ["id=8&value=300&color=red", 'there is no parameter "color"'],
  ["ID=8&value=300", 'there is no parameter "ID"'],
];

describe("GET /api", () => {
  test.each(refused)("?%s is refused and changes nothing", async (query, says) => {
    await using before = await JsonSocket.open(`${app.url}ws`);
    const { bars } = await before.got({ type: "state" });
    const answer = await fetch(`${app.url}api?${query}`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.stringContaining(says) });
    await using after = await JsonSocket.open(`${app.url}ws`);
    expect(await after.got({ type: "state" })).toEqual({ type: "state", bars });
    await before.got({ type: "browsers", count: 2 });
    expect(before.messages.some(({ type }) => type === "bar")).toBe(false);
  });

  test.each([
    [1, 0],
    [8, 300],
    [8, 1000],
  ])("bar %d takes the value %d", async (id, value) => {
    const answer = await fetch(`${app.url}api?id=${id}&value=${value}`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ id, value });
    await using socket = await JsonSocket.open(`${app.url}ws`);
    const { bars } = await socket.got({ type: "state" });
    expect(bars).toHaveProperty(String(id - 1), value);
  });

  test("a method other than GET is refused", async () => {
    const answer = await fetch(`${app.url}api?id=8&value=300`, { method: "POST" });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET");
  });
});

test("one change reaches every open browser", async () => {
  const { url, stop } = serveDashboard(listen);
  await using first = await JsonSocket.open(`${url}ws`);
  await using second = await JsonSocket.open(`${url}ws`);
  await using third = await JsonSocket.open(`${url}ws`);
  const answer = await fetch(`${url}api?id=5&value=77`);
  expect(await answer.json()).toEqual({ id: 5, value: 77, browsers: 3 });
  for (const socket of [first, second, third]) {
    await socket.got({ type: "bar", id: 5, value: 77 });
    expect(socket.messages[0]).toMatchObject({ type: "state" });
  }
  stop();
});

test("the page needs nothing from elsewhere", async () => {
  const html = await (await fetch(app.url)).text();
  expect(html).toContain("<!doctype html>");
  expect(html).toContain("liveSocket = (");
  expect(html).not.toMatch(/(src|href)="(?!data:)/);
});

test("a plain request to the WebSocket's address is told to upgrade", async () => {
  expect((await fetch(`${app.url}ws`)).status).toBe(426);
});

test("a stopping server says goodbye with 1001", async () => {
  const other = serveDashboard(listen);
  const socket = await JsonSocket.open(`${other.url}ws`);
  other.stop();
  expect(await socket.ended).toEqual({ code: 1001, reason: "the server is going away", wasClean: true });
});
