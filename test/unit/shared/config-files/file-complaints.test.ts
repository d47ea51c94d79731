import { expect, test } from "vitest";
import { newComplaints } from "#shared/config-files/file-complaints.ts";
import type { FileFormat } from "#shared/domain/facts.ts";

const broken: readonly (readonly [FileFormat, string, string])[] = [
  ["server-conf", "port = 5432\n", "port = 'never closed\n"],
  ["auto-conf", "port = 5432\n", "port = 'never closed\n"],
  ["recovery-conf", "standby_mode = on\n", "standby_mode = 'on\n"],
  ["hba", "local all all peer\n", "local all\n"],
  ["pool-hba", "local all all peer\n", "local all\n"],
  ["pool-conf", "port = 9999\n", "port = '9999\n"],
];

test.each(broken)(
  "a line of %s that can't be read is told with its place",
  (format, before, line) => {
    const file = { path: "/data/file", format, maskedText: before + line };
    expect(newComplaints(file, before)).toMatchObject([{ file: "/data/file", line: 2 }]);
    expect(newComplaints({ ...file, maskedText: before }, before)).toEqual([]);
  },
);

test.each(broken)("what was wrong in %s before is not told again", (format, before, line) => {
  const file = { path: "/data/file", format, maskedText: `${before}${line}` };
  expect(newComplaints({ ...file, maskedText: `# more\n${before}${line}` }, file.maskedText)).toEqual([]); // prettier-ignore
});

test("a file whose text never leaves its host has nothing to be told of", () => {
  for (const format of ["pool-passwd", "pcp-conf", "pass", "signal", "ident"] as const) {
    expect(newComplaints({ path: "/f", format, maskedText: "'" }, null)).toEqual([]);
    expect(newComplaints({ path: "/f", format, maskedText: null }, null)).toEqual([]);
  }
});
