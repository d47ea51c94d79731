import { expect, test } from "vitest";
import { configuredUpstream } from "#agent/decide/configured-upstream.ts";
import type { FileFacts } from "#shared/domain/facts.ts";

function file(path: string, format: FileFacts["format"], maskedText: string): FileFacts {
  return {
    path,
    format,
    state: "present",
    hash: "",
    owner: "",
    mode: 0,
    modifiedAt: 0,
    maskedText,
  };
}

const database = { dataDirectory: "/data" };

test("before 12 recovery.conf of the data directory names the upstream, not a template of it", () => {
  const files = [
    file("/etc/recovery.done", "recovery-conf", "primary_conninfo = 'host=10.0.0.9'"),
    file(
      "/data/recovery.conf",
      "recovery-conf",
      "standby_mode = on\nprimary_conninfo = 'user=x password=****** host=10.0.0.1 port=54321'\nprimary_slot_name ='slot_srv129'\n",
    ),
  ];
  expect(configuredUpstream(database, files)).toEqual({
    host: "10.0.0.1",
    port: 54_321,
    slot: "slot_srv129",
  });
});

test("from 12 on the server's file and, over it, the auto.conf do", () => {
  const conf = file(
    "/etc/postgresql.conf",
    "server-conf",
    "primary_conninfo = 'host=10.0.0.1'\nprimary_slot_name = 'a'",
  );
  const auto = file(
    "/data/postgresql.auto.conf",
    "auto-conf",
    "primary_conninfo = 'host=10.0.0.2 port=5433'",
  );
  expect(configuredUpstream(database, [auto, conf])).toEqual({
    host: "10.0.0.2",
    port: 5433,
    slot: "a",
  });
  expect(configuredUpstream(database, [])).toBeNull();
});
