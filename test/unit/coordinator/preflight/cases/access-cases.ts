import { changeFile } from "../../world.ts";
import type { Case } from "./case.ts";
import { host, logins, newcomer, pool } from "./edits.ts";

export const accessCases: readonly Case[] = [
  {
    check: "secrets",
    when: "the replication password is missing on the new host",
    status: "fail",
    edit: host(newcomer, { secrets: ["database"] }),
    says: /castellan-agent secret set replication/,
  },
  {
    check: "pcp-secret",
    when: "a pool's host has no pcp password",
    status: "fail",
    options: pool,
    edit: host("srv129", { secrets: ["database"] }),
    says: /castellan-agent secret set pcp/,
  },
  {
    check: "database-secret",
    when: "a pool's host can't read through its pool",
    status: "fail",
    options: pool,
    edit: host("srv129", { secrets: ["pcp"] }),
  },
  {
    check: "replication-login",
    when: "the replication password is wrong",
    status: "fail",
    edit: logins("28P01", "password authentication failed", true),
    says: /castellan-agent secret set replication/,
  },
  {
    check: "database-login",
    when: "the maintenance password is wrong",
    status: "fail",
    edit: logins("28P01", "password authentication failed", false),
    says: /castellan-agent secret set database/,
  },
  {
    check: "hba-readable",
    when: "an hba file has a broken line",
    status: "fail",
    edit: (world) => changeFile(world, "srv129", "/pg_hba.conf", (text) => `${text}hots all all\n`),
    says: /pg_hba\.conf:\d+:1/,
  },
  {
    check: "hba-to-existing",
    when: "an earlier line rejects the new host",
    status: "warn",
    edit: (world) =>
      changeFile(
        world,
        "srv127",
        "/pg_hba.conf",
        (text) => `host all all 192.168.4.159/32 reject\n${text}`,
      ),
    says: /line 1 decides.*reject/,
  },
  {
    check: "hba-to-newcomer",
    when: "the copied file rejects a node",
    status: "warn",
    edit: (world) =>
      changeFile(
        world,
        "srv127",
        "/pg_hba.conf",
        (text) => `host all all 192.168.4.129/32 reject\n${text}`,
      ),
  },
  {
    check: "hba-virtual-addresses",
    when: "a virtual address is no known client",
    status: "warn",
    options: pool,
    edit: () => undefined,
    says: /192\.168\.4\.200/,
  },
];
