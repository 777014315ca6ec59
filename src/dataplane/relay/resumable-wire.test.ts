import { expect, test } from "bun:test";
import { FakeWire } from "../../../test/support/fake-wire.ts";
import { makeFrame, someMask } from "../../../test/support/frames.ts";
import { silentReceiver } from "../../core/wire.ts";
import { ResumableWire, type ResumeResult } from "./resumable-wire.ts";

/** A wire that learns at the end of the turn only what the kernel does not take. */
class LateWire extends FakeWire {
  override write(bytes: Uint8Array): number {
    super.write(bytes);
    return 0;
  }
}

test("a message of which a part is still here when the upstream is lost is not passed over in silence", () => {
  const upstream = new LateWire();
  upstream.isBlocked = true;
  const results: ResumeResult[] = [];
  const resumer = {
    find: async () => undefined,
    onResult: (result: ResumeResult) => void results.push(result),
    [Symbol.dispose]() {},
  };
  const settings = { withinMs: 1000, bufferBytes: 1000, replay: 0 };
  const wire = new ResumableWire(upstream, { settings, resumer, receiver: silentReceiver });
  upstream.receiver = wire;
  wire.attach({ isBetweenMessages: true, isOver: false, forgetHeld() {} }, () => {});
  wire.write(makeFrame({ opcode: 1, payload: "a message", mask: someMask }));
  upstream.peerResets();
  expect(results).toEqual(["mid_message"]);
});
