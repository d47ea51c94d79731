import { changeFile } from "../../world.ts";
import type { Case } from "./case.ts";
import { haModule, kingbase, newcomer, reachTo } from "./edits.ts";

const sh = "ssh: connect to host 192.168.4.159 port 22: Connection refused";
const noSsh = reachTo((answer) => ({
  ...answer,
  ssh: answer.ssh.map((row) => ({ ...row, ok: false, message: sh })),
}));

export const vendorCases: readonly Case[] = [
  {
    pitfall: "F14",
    check: "ssh-trust",
    when: "the vendor's checks act and ssh does not work",
    status: "fail",
    options: { ...kingbase, vendorInCharge: true },
    edit: noSsh,
    says: /can't promote srv159.*second primary/s,
  },
  {
    check: "ssh-trust",
    when: "ssh does not work and the operator accepts it",
    status: "warn",
    options: { ...kingbase, vendorInCharge: true },
    request: { acceptNotPromotable: true },
    edit: noSsh,
  },
  {
    check: "ssh-trust",
    when: "only the pool's failover script is the vendor's",
    status: "fail",
    options: kingbase,
    edit: (world) => {
      changeFile(
        world,
        "srv127",
        "/kingbasecluster.conf",
        (text) => `${text}failover_command = '/x/failover_stream.sh %H %P'\n`,
      );
      noSsh(world);
    },
    says: /failover_stream\.sh in charge/,
  },
  {
    check: "vendor-cron-newcomer",
    when: "the vendor's check runs on the new host already",
    status: "fail",
    options: kingbase,
    edit: (world) =>
      changeFile(
        world,
        newcomer,
        "KINGBASECRON",
        () => "*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh\n",
      ),
  },
  {
    check: "vendor-cron-lines",
    when: "a cron line stands twice",
    status: "warn",
    options: kingbase,
    edit: (world) => changeFile(world, "srv127", "KINGBASECRON", (text) => text + text),
  },
  {
    check: "ha-module-readable",
    when: "a node list is quoted",
    status: "fail",
    options: kingbase,
    edit: haModule("srv129", /KB_ALL_IP=\((.*)\)/, 'KB_ALL_IP="$1"'),
  },
  {
    check: "ha-module-readable",
    when: "the last line has no newline",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", /\n$/, ""),
  },
  {
    check: "ha-module-equal",
    when: "a copy lacks a node",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", "(192.168.4.127 192.168.4.129)", "(192.168.4.127)"),
    says: /without 192\.168\.4\.129/,
  },
  {
    check: "ha-module-own",
    when: "a file has another node's name",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", 'NODE_NAME="srv129"', 'NODE_NAME="srv127"'),
  },
  {
    check: "ha-module-own",
    when: "no interface is named",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", 'DEV="ens33"\n', ""),
    says: /DEV/,
  },
  {
    check: "ha-module-login",
    when: "the scripts log in as another role",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", /KB_USER="[^"]*"/, 'KB_USER="SOMEONE"'),
  },
  {
    check: "ha-module-secrets",
    when: "the file has a password of which we know nothing",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", "KB_PORT", 'ES_PASS="[secret]"\nKB_PORT'),
    says: /ES_PASS/,
  },
  {
    check: "ha-module-port",
    when: "KB_PORT is another port",
    status: "fail",
    options: kingbase,
    edit: haModule("srv129", 'KB_PORT="54321"', 'KB_PORT="54322"'),
  },
  {
    check: "sync-flag",
    when: "SYNC_FLAG and the list disagree",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", "SYNC_FLAG=0", "SYNC_FLAG=1"),
  },
];
