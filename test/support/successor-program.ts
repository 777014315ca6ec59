import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfCommand } from "../../src/cli/self.ts";

/** What a program does: shell lines in the place of Causeway, or a script that runs in the process before Causeway does. */
export type ProgramLines = { readonly shell?: string; readonly script?: string };

/** A folder of programs that workers can be replaced by. */
export class SuccessorPrograms implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "causeway-test-"));

  /** The path of a program that does `lines`. */
  add(name: string, lines: ProgramLines): string {
    const path = join(this.folder, name.replaceAll(" ", "-"));
    const preload = `${path}.ts`;
    writeFileSync(preload, lines.script ?? "");
    const [bun = "", ...rest] = selfCommand();
    const own = `exec ${bun} --preload ${preload} ${rest.join(" ")} "$@"`;
    writeFileSync(path, `#!/bin/sh\n${lines.shell ?? own}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A script that does `act` in front of the first message of this type that a successor sends. */
export const instead = (type: string, act: string): string => `
  const send = process.send;
  process.send = (message) => {
    if (message.type === ${JSON.stringify(type)}) { ${act} }
    return send.call(process, message);
  };`;

/** A script that does `act` right behind the first message of this type that a successor sends. */
export const behind = (type: string, act: string): string => `
  const send = process.send;
  process.send = (message) => {
    const sent = send.call(process, message);
    if (message.type === ${JSON.stringify(type)}) { ${act} }
    return sent;
  };`;

/** A script that does `act` when a message of this type has come to a successor for the first (or second …) time, before that hears of it. */
export const whenTold = (type: string, act: string, time = 1): string => `
  let times = 0;
  process.on("message", (message) => {
    if (message.type === ${JSON.stringify(type)} && ++times === ${time}) { ${act} }
  });`;

/** What a script says to end its process without a word. */
export const die = 'process.kill(process.pid, "SIGKILL");';

/** What a script says to end the worker that has started its process. */
export const killParent = 'process.kill(process.ppid, "SIGKILL");';

/** A script whose process is slow at two moments of a handover: when descriptors lie in the socket, and when both processes hold them (ms). */
export const slowSuccessor = (ms: number): string => `
  const send = process.send;
  process.send = (message) => {
    if (message.type !== "begun" && message.type !== "adopted") return send.call(process, message);
    if (message.type === "adopted") return void setTimeout(() => send.call(process, message), ${ms});
    const sent = send.call(process, message);
    setTimeout(() => Bun.sleepSync(${ms}), 5);
    return sent;
  };`;
