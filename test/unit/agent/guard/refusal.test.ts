import { expect, test } from "vitest";
import { refusalOf } from "#agent/guard/look-at-peer.ts";
import { Failure } from "#shared/errors.ts";

const failing = (code: string): Failure =>
  new Failure("DATABASE_UNREACHABLE", code, { cause: Object.assign(new Error(code), { code }) });

test.each(["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"])("%s is silence", (code) => {
  expect(refusalOf(failing(code))).toBe("silent");
});

// A primary that may open no more files is not cut off from anybody.
test.each(["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EADDRNOTAVAIL"])(
  "%s says something of this host, and nothing of the other",
  (code) => {
    expect(refusalOf(failing(code))).toBe("login-failed");
  },
);
