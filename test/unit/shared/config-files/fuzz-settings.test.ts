import { expect } from "vitest";
import { appendBackend, removeBackend } from "#shared/config-files/pool-edit.ts";
import { parsePoolConf } from "#shared/config-files/pool-conf.ts";
import { parseRecoveryConf } from "#shared/config-files/recovery-conf.ts";
import {
  commentParameter,
  effective,
  parseServerConf,
  removeParameter,
  type ServerConf,
  setParameter,
} from "#shared/config-files/server-conf.ts";
import { printLines } from "#shared/config-files/text-file.ts";
import { changesOneLine, onlyAdds, onlyRemoves, touchedLines } from "./edits-touch.ts";
import { fuzzFormat, unlessRefused } from "./fuzz-format.ts";

const reprint = (conf: ServerConf) => ({
  text: printLines(conf.lines),
  complaints: conf.complaints,
});

/** One setting is set, commented out, taken out, and what was added is taken out without a trace. */
function settingEdits(name: string): readonly ((text: string) => void)[] {
  const ours = new RegExp(name, "i");
  const valueIn = (text: string) => effective(parseServerConf(text)).get(name)?.value;
  return [
    (text) => {
      const edited = setParameter(text, name, "it's \\ 7");
      changesOneLine(touchedLines(text, edited), ours);
      expect(valueIn(edited)).toBe("it's \\ 7");
      if (valueIn(text) === undefined) expect(removeParameter(edited, name)).toBe(text);
    },
    (text) => onlyRemoves(touchedLines(text, removeParameter(text, name)), ours),
    (text) => {
      const { removed, added } = touchedLines(text, commentParameter(text, name));
      expect(added).toHaveLength(removed.length);
      for (const line of [...removed, ...added]) expect(line).toMatch(ours);
      expect(valueIn(commentParameter(text, name))).toBeUndefined();
    },
  ];
}

fuzzFormat({
  format: "server-conf",
  samples: [
    "postgresql-10.conf",
    "postgresql-15.conf",
    "postgresql-18.conf",
    "kes/kingbase.conf",
    "kes/kingbase.auto.conf",
  ],
  reprint: (text) => reprint(parseServerConf(text)),
  edits: settingEdits("port"),
});

fuzzFormat({
  format: "recovery-conf",
  samples: ["recovery-10.conf", "kes/recovery.conf"],
  reprint: (text) => {
    const { conf, complaints } = parseRecoveryConf(text);
    return { ...reprint(conf), complaints };
  },
  edits: settingEdits("primary_conninfo"),
});

const row = {
  id: 1,
  hostname: "10.0.0.9",
  port: 54321,
  weight: 1,
  dataDirectory: "/data",
  flag: null,
  applicationName: null,
};

fuzzFormat({
  format: "pool-conf",
  samples: ["pgpool-4.3.conf", "kes/kingbasecluster.conf"],
  reprint: (text) => reprint(parsePoolConf(text).conf),
  edits: [
    (text) => {
      const grown = unlessRefused(() => appendBackend(text, row));
      if (grown === null) return;
      onlyAdds(touchedLines(text, grown), /^backend_[a-z_]+1\s*=/, 4);
      if (!/backend_[a-z_]+1\b/i.test(text)) expect(removeBackend(grown, 1)).toBe(text);
    },
    (text) => onlyRemoves(touchedLines(text, removeBackend(text, 1)), /backend_[a-z_]+1\b/i),
  ],
});
