import { beforeEach, expect, test } from "bun:test";
import { FakeView } from "../../../test/support/fake-view.ts";
import type { SubmissionResult } from "../submission.ts";
import { adminApp } from "./app.ts";

let view: FakeView;
beforeEach(() => {
  view = new FakeView();
});

async function submit(how: { query?: string; body?: string | Uint8Array<ArrayBuffer>; match?: string } = {}) {
  const { query = "", body = "listeners: {}", match } = how;
  const headers = { ...(match === undefined ? {} : { "if-match": match }) };
  const request = new Request(`http://127.0.0.1:9901/api/config${query}`, { method: "POST", body, headers });
  const response = await adminApp(view)(request);
  return { status: response.status, etag: response.headers.get("etag"), body: await response.json() };
}

const warning = {
  severity: "warning",
  at: { source: "request", line: 1, column: 2, path: "routes" },
  says: "odd",
} as const;

test("a configuration is taken as it was sent, and the answer has its revision and warnings", async () => {
  view.verdict = { kind: "applied", revision: 7, issues: [warning], isSaved: false };
  expect(await submit({ body: "# é\nlisteners: {}" })).toEqual({
    status: 200,
    etag: '"7"',
    body: { revision: 7, isSaved: false, issues: [{ ...warning, text: "request:1:2: routes: warning: odd" }] },
  });
  expect(view.submissions).toEqual([{ text: "# é\nlisteners: {}", mayWrite: false }]);
});

test("a revision, and the wish to write it, go with it", async () => {
  await submit({ query: "?write=true", match: '"3"' });
  await submit({ match: "3" });
  await submit({ match: "*" });
  expect(view.submissions.map(({ ifRevision, mayWrite }) => [ifRevision, mayWrite])).toEqual([
    [3, true],
    [3, false],
    [undefined, false],
  ]);
});

test("what keeps it from being in force has a status and a code of its own", async () => {
  const error = { ...warning, severity: "error" } as const;
  const verdicts: readonly (readonly [SubmissionResult, number, string])[] = [
    [{ kind: "refused", issues: [error, warning] }, 422, "bad_configuration"],
    [{ kind: "stale", revision: 9 }, 412, "stale_revision"],
    [{ kind: "unwritable", says: "it is a folder" }, 400, "not_writable"],
    [{ kind: "late" }, 504, "worker_timeout"],
  ];
  for (const [verdict, status, code] of verdicts) {
    view.verdict = verdict;
    expect(await submit()).toMatchObject({ status, body: { error: { code } } });
  }
  view.verdict = { kind: "refused", issues: [error, warning] };
  expect((await submit()).body).toMatchObject({
    error: { message: "it has 1 error; nothing has changed" },
    issues: [{ severity: "error", text: "request:1:2: routes: odd" }, { severity: "warning" }],
  });
});

test("what is no revision, no query of this page, or no text is refused", async () => {
  for (const how of [{ match: "W/3" }, { match: '"x"' }, { query: "?wirte=true" }, { query: "?write=yes" }]) {
    expect(await submit(how)).toMatchObject({ status: 400, body: { error: { code: "bad_request" } } });
  }
  expect(await submit({ body: Uint8Array.of(0xc3, 0x28) })).toMatchObject({ status: 400 });
  expect(view.submissions).toEqual([]);
});

test("the revision in force is the ETag of the configuration", async () => {
  const response = await adminApp(view)(new Request("http://127.0.0.1:9901/api/config"));
  expect(response.headers.get("etag")).toBe('"3"');
  expect(await response.json()).toMatchObject({ isSubmitted: false });
});
