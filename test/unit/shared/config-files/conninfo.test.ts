import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBase64, encodeBase64 } from "#shared/config-files/base64.ts";
import { maskConninfo, parseConninfo, printConninfo } from "#shared/config-files/conninfo.ts";
import { configText, runs } from "./fixture.ts";

const read = (text: string): Record<string, string> =>
  Object.fromEntries(parseConninfo(text).values);

test("pairs are read as libpq reads them", () => {
  expect(read(String.raw`host = 10.0.0.1  a='b \'c\\' d=e\ f g='' `)).toEqual({
    host: "10.0.0.1",
    a: String.raw`b 'c\ `.trim(),
    d: "e f",
    g: "",
  });
});

test("the last of two equal keywords counts", () => {
  expect(read("host=a host=b")).toEqual({ host: "b" });
});

test.each([
  ["host", 0],
  ["host=a 'open", 7],
  ["a=b c='open", 6],
  ["=x", 0],
])("what can't be read is reported with its place: %j", (text, at) => {
  expect(parseConninfo(text).problem?.at).toBe(at);
});

test("what was printed is what is read", () => {
  const key = fc.stringMatching(/^[a-z_]{1,10}$/);
  fc.assert(
    fc.property(fc.dictionary(key, fc.string({ unit: "binary" })), (values) => {
      const map = new Map(Object.entries(values));
      expect(parseConninfo(printConninfo(map)).values).toEqual(map);
    }),
    runs,
  );
});

test.each([
  ["postgresql://", {}],
  ["postgres://10.0.0.1", { host: "10.0.0.1" }],
  [
    "postgresql://rep%6c:a%3ab@[::1]:5433/db?application_name=n1&ssl=true",
    {
      user: "repl",
      password: "a:b",
      host: "::1",
      port: "5433",
      dbname: "db",
      application_name: "n1",
      sslmode: "require",
    },
  ],
  ["postgresql://u@a,b:2/?host=c", { user: "u", host: "c", port: ",2" }],
])("a URI is read by libpq's rules: %s", (text, values) => {
  expect(read(text)).toEqual(values);
  expect(parseConninfo(text).problem).toBeNull();
});

test.each(["postgresql://a%zz", "postgresql://a?b", "postgresql://[::1", "postgres://a/%00"])(
  "a URI that libpq refuses is a problem: %s",
  (text) => {
    expect(parseConninfo(text)).toMatchObject({ problem: { at: 0 }, values: new Map() });
  },
);

describe("passwords", () => {
  test("base64 from the vendor's installer carries a newline, which is dropped", () => {
    expect(decodeBase64("MTIzNDU2Cg==")).toBe("123456");
    expect(decodeBase64("MTIzNDU2")).toBe("123456");
    expect(decodeBase64("no base64!")).toBeNull();
  });

  test("any password is read back from base64, which has no newline", () => {
    expect(encodeBase64("123456")).toBe("MTIzNDU2");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (password) => {
        fc.pre(!password.endsWith("\n"));
        expect(decodeBase64(encodeBase64(password))).toBe(password);
      }),
      runs,
    );
  });

  test.each([
    "host=a password=hunter2 user=b",
    String.raw`password='hunter2 \'x=hunter2' a=b`,
    "postgresql://user:hunter2@host/db?sslmode=require",
    "host=a broken password='hunter2",
    "host=a 'broken password = hunter2 hunter2",
  ])("masking hides the password: %s", (text) => {
    expect(maskConninfo(text)).not.toContain("hunter2");
    expect(maskConninfo(text)).toContain("[secret]");
  });

  test("masking any text doesn't fail", () => {
    fc.assert(
      fc.property(configText, (text) => typeof maskConninfo(text) === "string"),
      runs,
    );
  });
});
