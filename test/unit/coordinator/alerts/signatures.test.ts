import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { signBody, signForDingtalk, signForFeishu } from "#coordinator/alerts/signatures.ts";

// What is expected below was made by `openssl dgst -sha256 -hmac` and by Python's hmac.

test("a body is signed together with the second of its sending", () => {
  expect(signBody('{"a":1}', "hunter2", 1_600_000_000_999)).toBe(
    "t=1600000000,v1=9c27d2ed6a39d5ab303d4edaa7909174285efc074c92c686be4ff25566d225a2",
  );
});

test("DingTalk: milliseconds and secret are signed with the secret", () => {
  expect(signForDingtalk("SECtestsecret", 1_546_084_445_901)).toEqual({
    timestamp: "1546084445901",
    sign: "OjcsQgqx8XM+VyUGoegba1BqrpK8MXU2T/7YnzzMBBQ=",
  });
  // The example of the DingTalk docs, which is of their other signature: the same sum over the milliseconds alone.
  expect(createHmac("sha256", "testappSecret").update("1546084445901").digest("base64")).toBe(
    decodeURIComponent("HCbG3xNE3vzhO%2Bu7qCUL1jS5hsu2n5r2cFhnTrtyDAE%3D"),
  );
});

test("Feishu: seconds and secret are the key, and nothing is signed", () => {
  expect(signForFeishu("demo", 1_599_360_473_999)).toEqual({
    timestamp: "1599360473",
    sign: "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=",
  });
});
