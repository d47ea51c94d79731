import { expect, test } from "vitest";
import {
  parseRecoveryConf,
  printRecoveryConf,
  standbySettings,
} from "#shared/config-files/recovery-conf.ts";
import { effective, parseServerConf } from "#shared/config-files/server-conf.ts";
import { fixture } from "./fixture.ts";

test("a node's recovery.conf is understood", () => {
  const { standby, complaints } = parseRecoveryConf(fixture("kes/recovery.conf"), "recovery.conf");
  expect(complaints).toEqual([]);
  expect(standby).toMatchObject({
    standbyMode: true,
    primarySlotName: "slot_srv129",
    recoveryTargetTimeline: "latest",
    triggerFile: null,
  });
  expect(standby.primaryConninfo?.values.get("application_name")).toBe("srv129");
});

test("the server's sample sets nothing", () => {
  expect(parseRecoveryConf(fixture("recovery-10.conf")).standby).toMatchObject({
    standbyMode: null,
    primaryConninfo: null,
    primarySlotName: null,
  });
});

test("a conninfo that can't be read is a complaint at its line", () => {
  const { complaints } = parseRecoveryConf("\nprimary_conninfo = 'host'\n", "recovery.conf");
  expect(complaints).toMatchObject([{ file: "recovery.conf", line: 2, column: 1 }]);
});

test("a printed recovery.conf says what the model says", () => {
  const primaryConninfo = new Map([
    ["port", "54321"],
    ["host", "192.168.4.127"],
    ["user", "SYSTEM"],
    ["password", "MTIzNDU2"],
    ["application_name", "it's"],
  ]);
  const text = printRecoveryConf({
    primaryConninfo,
    primarySlotName: "slot_srv159",
    triggerFile: "/data/promote",
    extra: { restore_command: "cp /archive/%f '%p'" },
  });
  expect(text).toBe(
    [
      "standby_mode = 'on'",
      String.raw`primary_conninfo = 'port=54321 host=192.168.4.127 user=SYSTEM password=MTIzNDU2 application_name=''it\\''s'''`,
      "recovery_target_timeline = 'latest'",
      "primary_slot_name = 'slot_srv159'",
      "trigger_file = '/data/promote'",
      "restore_command = 'cp /archive/%f ''%p'''",
      "",
    ].join("\n"),
  );
  const { standby, complaints } = parseRecoveryConf(text);
  expect(complaints).toEqual([]);
  expect(standby.primaryConninfo?.values).toEqual(primaryConninfo);
});

test("from PostgreSQL 12 on the same settings stand in the server's file, without standby_mode", () => {
  const text = "primary_conninfo = ''\nprimary_slot_name = 's'\npromote_trigger_file = '/t'\n";
  expect(standbySettings(effective(parseServerConf(text)))).toEqual({
    standbyMode: null,
    primaryConninfo: null,
    primarySlotName: "s",
    recoveryTargetTimeline: null,
    triggerFile: "/t",
    restoreCommand: null,
  });
});
