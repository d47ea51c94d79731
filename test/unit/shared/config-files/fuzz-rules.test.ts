import { expect } from "vitest";
import {
  commentVendorLine,
  parseCron,
  uncommentVendorLine,
} from "#shared/config-files/cron-lines.ts";
import { haArray, haText, parseHaModule } from "#shared/config-files/ha-module.ts";
import { appendToArray, removeFromArray, setScalar } from "#shared/config-files/ha-module-edit.ts";
import { parseHba } from "#shared/config-files/hba.ts";
import { insertRules, judgeRules, takeOutRules } from "#shared/config-files/hba-access.ts";
import { appendRules, removeRules } from "#shared/config-files/hba-edit.ts";
import { printLines } from "#shared/config-files/text-file.ts";
import { changesOneLine, onlyAdds, onlyRemoves, touchedLines } from "./edits-touch.ts";
import { fuzzFormat, unlessRefused } from "./fuzz-format.ts";

const rule = {
  type: "host",
  database: "replication",
  user: "castellan_test",
  address: "10.9.9.9/32",
  method: "md5",
} as const;
const ours = /castellan/;

fuzzFormat({
  format: "hba",
  samples: [
    "pg_hba-10.conf",
    "pg_hba-15.conf",
    "pg_hba-18.conf",
    "pool_hba-4.3.conf",
    "kes/sys_hba.conf",
  ],
  reprint: (text) => {
    const conf = parseHba(text);
    return { text: printLines(conf.lines), complaints: conf.complaints };
  },
  edits: [
    (text) => {
      const grown = appendRules(text, [rule], "castellan 1");
      onlyAdds(touchedLines(text, grown), ours, 2);
      expect(takeOutRules(grown, [rule], "castellan 1")).toBe(text);
    },
    (text) => {
      for (const continuations of [true, false]) {
        const grown = insertRules(text, [rule], "castellan 1", { continuations });
        onlyAdds(touchedLines(text, grown), ours, 2);
        expect(judgeRules(grown, [rule], { continuations })).toMatchObject([{ works: true }]);
        expect(takeOutRules(grown, [rule], "castellan 1")).toBe(text);
      }
    },
    (text) => {
      const all = { type: "host", database: "all", user: "all", address: "all", method: "md5" };
      const gone = removeRules(text, [{ ...all, type: "host" }]);
      // What a backslash joins to a rule goes with it, whatever it is.
      onlyRemoves(touchedLines(text, gone), text.includes("\\") ? /^/ : /host.*all.*md5/s);
    },
  ],
});

fuzzFormat({
  format: "ha-module",
  samples: ["kes/HAmodule.conf"],
  reprint: (text) => {
    const module = parseHaModule(text);
    return { text: printLines(module.lines), complaints: module.complaints };
  },
  edits: [
    (text) => {
      const edited = unlessRefused(() => setScalar(text, "NODE_NAME", "srv159"));
      if (edited === null) return;
      changesOneLine(touchedLines(text, edited), /NODE_NAME/);
      expect(haText(parseHaModule(edited), "NODE_NAME")).toBe("srv159");
    },
    (text) => {
      const grown = unlessRefused(() => appendToArray(text, "KB_ALL_IP", "10.9.9.9"));
      if (grown === null) return;
      changesOneLine(touchedLines(text, grown), /KB_ALL_IP/);
      expect(haArray(parseHaModule(grown), "KB_ALL_IP")).toContain("10.9.9.9");
      if (haArray(parseHaModule(text), "KB_ALL_IP") === null) return;
      expect(removeFromArray(grown, "KB_ALL_IP", "10.9.9.9")).toBe(text);
    },
  ],
});

const withoutHashes = (line: string): string => line.replaceAll("#", "");

fuzzFormat({
  format: "cron",
  samples: ["kes/KINGBASECRON"],
  reprint: (text) => {
    const cron = parseCron(text);
    return { text: printLines(cron.lines), complaints: cron.complaints };
  },
  edits: [commentVendorLine, uncommentVendorLine].map((edit) => (text: string) => {
    const { removed, added } = touchedLines(text, edit(text, "network-rewind"));
    expect(added.map(withoutHashes)).toEqual(removed.map(withoutHashes));
    for (const line of removed) expect(line).toContain("network_rewind.sh");
    expect(edit(edit(text, "network-rewind"), "network-rewind")).toBe(edit(text, "network-rewind"));
  }),
});
