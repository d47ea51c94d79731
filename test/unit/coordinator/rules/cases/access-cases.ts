import { all, append, file, inFile } from "../edits.ts";
import type { RuleCase } from "./rule-case.ts";

const hba = "sys_hba.conf";

export const accessCases: readonly RuleCase[] = [
  {
    rule: "hba-trust-world",
    breaks: append("srv129", hba, "host all app ::/0 trust\n"),
    keeps: append("srv129", hba, "host all app 10.0.0.0/8 trust\n"),
    says: /host all app ::\/0 trust/,
    on: "srv129",
  },
  {
    rule: "hba-trust-world",
    breaks: append("srv129", "cluster_hba.conf", "host all all all trust\n"),
    keeps: append("srv129", "cluster_hba.conf", "local all all trust\n"),
    says: /trust/,
    on: "srv129",
  },
  {
    rule: "hba-open-world",
    breaks: append("srv129", hba, "host all all 0.0.0.0 0.0.0.0 md5\n"),
    keeps: append("srv129", hba, "host all all 0.0.0.0/0 reject\nhost all all 0.0.0.0/1 md5\n"),
    says: /0\.0\.0\.0 0\.0\.0\.0 md5/,
    on: "srv129",
  },
  {
    rule: "hba-nodes",
    breaks: inFile("srv127", hba, /host +replication +SYSTEM +192\.168\.4\.129\/32 +md5\n/, ""),
    keeps: inFile(
      "srv127",
      hba,
      /host +replication +SYSTEM +192\.168\.4\.129\/32 +md5\n/,
      "host replication system 192.168.4.128/31 md5\n",
    ),
    says: /no line for 192\.168\.4\.129/,
    on: "srv127",
  },
  {
    rule: "hba-virtual-addresses",
    breaks: inFile("srv127", hba, "host replication SYSTEM 192.168.4.201/32 md5\n", ""),
    keeps: inFile("srv127", hba, "192.168.4.201/32", "192.168.4.200/31"),
    says: /no line for 192\.168\.4\.201/,
    on: "srv127",
  },
  {
    rule: "well-known-password",
    breaks: file("srv129", "/db/etc/HAmodule.conf", {
      notes: [{ line: 15, code: "well-known-password" }],
    }),
    keeps: file("srv129", "/db/etc/HAmodule.conf", { notes: [] }),
    says: /db\/etc\/HAmodule\.conf has a well-known password on line 15/,
    on: "srv129",
  },
  {
    rule: "secret-file-mode",
    breaks: file("srv129", "/db/etc/HAmodule.conf", { mode: 0o644 }),
    keeps: all(
      file("srv129", "/db/etc/HAmodule.conf", { mode: 0o640 }),
      file("srv129", hba, { mode: 0o644 }),
    ),
    says: /mode 0644/,
    on: "srv129",
  },
  {
    rule: "secret-file-mode",
    breaks: file("srv129", "/.kbpass", { state: "present", mode: 0o640 }),
    keeps: file("srv129", "/.kbpass", { state: "present", mode: 0o400 }),
    says: /\.kbpass has mode 0640/,
    on: "srv129",
  },
];
