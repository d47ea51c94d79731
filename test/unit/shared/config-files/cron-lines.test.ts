import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  commentVendorLine,
  parseCron,
  printVendorLine,
  uncommentVendorLine,
} from "#shared/config-files/cron-lines.ts";
import { printLines } from "#shared/config-files/text-file.ts";
import { configText, fixture, runs } from "./fixture.ts";

const file = fixture("kes/KINGBASECRON");
const rewind = "*/1 * * * * kingbase  /db/bin/network_rewind.sh";

describe("reading", () => {
  test("the vendor's two lines are found, active or commented", () => {
    const { vendor, complaints } = parseCron(file);
    expect(complaints).toEqual([]);
    expect(vendor["network-rewind"]).toEqual({
      state: "active",
      lines: [
        {
          line: 1,
          column: 1,
          user: "kingbase",
          command: "/home/kingbase/cluster/ESHA/db/bin/network_rewind.sh",
          hashes: 0,
        },
      ],
    });
    expect(vendor["restart-cluster"]).toMatchObject({
      state: "commented",
      lines: [{ line: 2, column: 3, user: "root", hashes: 2 }],
    });
  });

  test.each([
    ["", "missing"],
    ["# network_rewind.sh is started elsewhere\n", "missing"],
    [`${rewind}\n#${rewind}\n`, "duplicate"],
    ["@reboot root network_rewind.sh\n", "active"],
    ["*/5 1-3 * * mon root /x/network_rewind.sh >/dev/null\r\n", "active"],
    ["* * * * * root /x/my_network_rewind.sh\n", "missing"],
  ])("%j: the line is %s", (text, state) => {
    expect(parseCron(text).vendor["network-rewind"].state).toBe(state);
  });

  test("a missing last newline is reported: cron would ignore the line", () => {
    expect(parseCron(rewind, "KINGBASECRON").complaints).toMatchObject([
      { file: "KINGBASECRON", line: 1 },
    ]);
  });

  test("any text is printed as it was read", () => {
    fc.assert(
      fc.property(configText, (text) => printLines(parseCron(text).lines) === text),
      runs,
    );
  });
});

describe("editing", () => {
  test("taking over comments the line and nothing else; giving back restores every byte", () => {
    const taken = commentVendorLine(file, "network-rewind");
    expect(taken).toBe(`#${file}`);
    expect(commentVendorLine(taken, "network-rewind")).toBe(taken);
    expect(uncommentVendorLine(taken, "network-rewind")).toBe(file);
  });

  test("an active line survives being commented and uncommented in any file", () => {
    fc.assert(
      fc.property(configText, configText, (before, after) => {
        const text = `${before}\n${rewind}\n${after}`;
        fc.pre(parseCron(text).vendor["network-rewind"].state === "active");
        const taken = commentVendorLine(text, "network-rewind");
        expect(parseCron(taken).vendor["network-rewind"].state).toBe("commented");
        expect(uncommentVendorLine(taken, "network-rewind")).toBe(text);
      }),
      runs,
    );
  });

  test("all # go when the line is activated, as the vendor's start does", () => {
    expect(uncommentVendorLine(file, "restart-cluster")).toBe(file.replace("##", ""));
  });

  test("every active copy is commented, but of two commented ones none is chosen", () => {
    const twice = `${rewind}\n${rewind}\n`;
    const taken = commentVendorLine(twice, "network-rewind");
    expect(taken).toBe(`#${rewind}\n#${rewind}\n`);
    expect(uncommentVendorLine(taken, "network-rewind")).toBe(taken);
  });

  test("a new node gets its one line, commented", () => {
    const line = printVendorLine({
      job: "network-rewind",
      user: "kingbase",
      folder: "/home/kingbase/cluster/ESHA/db/bin/",
      commented: true,
    });
    expect(line).toBe(
      "#*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh\n",
    );
    expect(parseCron(line).vendor["network-rewind"].state).toBe("commented");
  });

  test("a user or folder that would change the line's meaning is refused", () => {
    const input = { job: "network-rewind", commented: false } as const;
    for (const [user, folder] of [
      ["root\n* * * * * root", "/x"],
      ["kingbase", "/x; reboot"],
      ["kingbase", "/x%"],
      ["kingbase", "relative"],
    ] as const) {
      expect(() => printVendorLine({ ...input, user, folder })).toThrow(RangeError);
    }
  });
});
