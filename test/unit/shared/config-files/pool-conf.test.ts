import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backends, type BackendRow, parsePoolConf } from "#shared/config-files/pool-conf.ts";
import { appendBackend, removeBackend } from "#shared/config-files/pool-edit.ts";
import { poolSettings } from "#shared/config-files/pool-settings.ts";
import { parsePoolStatus } from "#shared/config-files/pool-status.ts";
import { configText, fixture, runs } from "./fixture.ts";

const vendorFile = fixture("kes/kingbasecluster.conf");
const row: BackendRow = {
  id: 2,
  hostname: "192.168.4.159",
  port: 54321,
  weight: 1,
  dataDirectory: "/home/kingbase/cluster/ESHA/db/data",
  flag: "ALLOW_TO_FAILOVER",
  applicationName: null,
};

describe("reading", () => {
  test("the rows of the vendor's file", () => {
    expect(backends(parsePoolConf(vendorFile))).toEqual([
      { ...row, id: 0, hostname: "192.168.4.127" },
      { ...row, id: 1, hostname: "192.168.4.129", flag: null },
    ]);
  });

  test.each([
    [String.raw`x = 'a\tb\101c\\d'`, String.raw`a\tb\101c\\d`],
    [String.raw`x = 'a\'b'`, String.raw`a\'b`],
    [String.raw`x = 'a\'  # note`, "a\\"],
    ["x = 'it''s'", undefined],
    ["x = 'open", undefined],
  ])("there are no escapes in quotes, as in pgpool: %s", (text, value) => {
    const { settings, conf } = parsePoolConf(text);
    expect(settings.get("x")?.value).toBe(value);
    expect(conf.complaints).toHaveLength(value === undefined ? 1 : 0);
  });

  test("a sample with everything commented out has no rows", () => {
    expect(backends(parsePoolConf(fixture("pgpool-4.3.conf")))).toEqual([]);
  });

  test("the vendor's watchdog names this host and the other one", () => {
    const settings = poolSettings(parsePoolConf(vendorFile));
    expect(settings).toMatchObject({
      port: 9999,
      pcpPort: 9898,
      pidFile: "/home/kingbase/cluster/ESHA/log/kingbasecluster/kingbasecluster.pid",
      logDir: "/home/kingbase/cluster/ESHA/run/kingbasecluster",
      numInitChildren: 16,
      healthCheckPeriod: 1,
      autoFailback: null,
    });
    expect(settings.watchdog).toMatchObject({
      enabled: true,
      delegateIp: "192.168.4.221",
      trustedServers: ["192.168.4.1", "192.168.4.2"],
      self: { id: null, hostname: "192.168.4.127", poolPort: 9999, wdPort: 9000 },
      others: [{ id: 0, hostname: "192.168.4.129", poolPort: 9999, wdPort: 9000 }],
      all: [],
    });
  });

  test("from pgpool 4.2 on all watchdog nodes stand in one list", () => {
    const text = "hostname1='b'\nwd_port1=9001\npgpool_port1=9998\nhostname0='a'\nhostname2=''\n";
    expect(poolSettings(parsePoolConf(text)).watchdog).toMatchObject({
      enabled: false,
      self: null,
      all: [
        { id: 0, hostname: "a", poolPort: null, wdPort: null },
        { id: 1, hostname: "b", poolPort: 9998, wdPort: 9001 },
      ],
    });
  });
});

describe("backend rows", () => {
  test("are appended in the style of the rows before them", () => {
    expect(appendBackend(vendorFile, row)).toBe(
      [
        vendorFile + "backend_hostname2='192.168.4.159'",
        "backend_port2=54321",
        "backend_weight2=1",
        "backend_data_directory2='/home/kingbase/cluster/ESHA/db/data'",
        "backend_flag2='ALLOW_TO_FAILOVER'",
        "",
      ].join("\n"),
    );
    expect(appendBackend("", row)).toContain("backend_port2 = 54321\n");
  });

  test("are read back, and a second run changes nothing", () => {
    const text = fc.stringMatching(/^[ -&(-~]{0,20}[ -&(-[\]-~]$/);
    const anyRow = fc.record({
      id: fc.nat(9999),
      hostname: text,
      port: fc.option(fc.integer({ min: 1, max: 65535 })),
      weight: fc.nat(100),
      dataDirectory: fc.option(text),
      flag: fc.option(text),
      applicationName: fc.option(text),
    });
    fc.assert(
      fc.property(configText, anyRow, (source, wanted) => {
        fc.pre(!source.includes("backend_"));
        const grown = appendBackend(source, wanted);
        expect(backends(parsePoolConf(grown))).toEqual([wanted]);
        expect(appendBackend(grown, wanted)).toBe(grown);
        expect(removeBackend(grown, wanted.id)).toBe(source);
      }),
      runs,
    );
  });

  test("what pgpool's quotes can't hold is refused", () => {
    for (const flag of ["a'b", "a\\", "a\nb", "\0"]) {
      expect(() => appendBackend("", { ...row, flag })).toThrow(RangeError);
    }
  });

  test("a row that was left half written is completed", () => {
    const whole = appendBackend(vendorFile, row);
    const half = whole.slice(0, whole.indexOf("backend_weight2"));
    expect(appendBackend(half, row)).toBe(whole);
  });

  test("an id that belongs to another host is never overwritten", () => {
    expect(() => appendBackend(vendorFile, { ...row, id: 1 })).toThrow(
      /backend_hostname1 is already '192.168.4.129' in line \d+/,
    );
  });

  test("removing one id leaves the others, 1 is not 12", () => {
    const many = appendBackend(vendorFile, { ...row, id: 12 });
    const fewer = removeBackend(many, 1);
    expect(backends(parsePoolConf(fewer)).map((b) => b.id)).toEqual([0, 12]);
    expect(removeBackend(many, 12)).toBe(vendorFile);
    expect(removeBackend(vendorFile, 7)).toBe(vendorFile);
  });
});

describe("the status file", () => {
  test("gives a status for each id", () => {
    expect(parsePoolStatus("up\r\ndown\nunused")).toEqual({
      nodes: ["up", "down", "unused"],
      complaints: [],
    });
    expect(parsePoolStatus("")).toEqual({ nodes: [], complaints: [] });
  });

  test("in an older form or broken, is a complaint and no guess", () => {
    expect(parsePoolStatus("up\n\u0001\u0002\nup\n", "pgpool_status")).toMatchObject({
      nodes: ["up"],
      complaints: [{ file: "pgpool_status", line: 2, column: 1 }],
    });
  });
});
