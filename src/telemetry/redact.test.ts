import { expect, test } from "bun:test";
import { redactedNames, redactTarget } from "./redact.ts";

const names = redactedNames(["token", "Api-Key", "pass word"]);

for (const [target, shown] of [
  ["/chat", "/chat"],
  ["/chat?", "/chat?"],
  ["/chat?a=1&token=s3cret&b=2", "/chat?a=1&token=***&b=2"],
  ["/chat?token=s3cret", "/chat?token=***"],
  ["/chat?token=a=b", "/chat?token=***"],
  ["/chat?token", "/chat?token"],
  ["/chat?%74oken=s3cret", "/chat?%74oken=***"],
  ["/chat?to%6Ben=s3cret&%ff=1", "/chat?to%6Ben=***&%ff=1"],
  ["/chat?%74oken%ff=x&%ff%74oken=y", "/chat?%74oken%ff=x&%ff%74oken=y"],
  ["/chat?TOKEN=s3cret&api-key=k", "/chat?TOKEN=***&api-key=***"],
  ["/chat?pass+word=s3cret&pass%20word=t", "/chat?pass+word=***&pass%20word=***"],
  ["/chat?a=1;token=s3cret;b", "/chat?a=1;token=***;b"],
  ["/chat?xtoken=1&tokenx=2", "/chat?xtoken=1&tokenx=2"],
  ["/chat?a=?token=1", "/chat?a=?token=1"],
] as const) {
  test(`${target} is logged as ${shown}`, () => {
    expect(redactTarget(target, names)).toBe(shown);
  });
}
