import { changeDatabase, changeFile, changeSettings } from "../../world.ts";
import type { Case } from "./case.ts";
import { host, kingbase, newcomer, target } from "./edits.ts";

export const softwareCases: readonly Case[] = [
  {
    check: "included-files",
    when: "the source's configuration includes a directory",
    status: "warn",
    edit: (world) =>
      changeFile(world, "srv127", "/postgresql.conf", (text) => `${text}include_dir 'conf.d'\n`),
  },
  {
    pitfall: "F21",
    check: "same-build",
    when: "two builds run in the cluster",
    status: "warn",
    edit: (world) => changeDatabase(world, "srv129", { versionText: "PostgreSQL 15.3 on x" }),
  },
  {
    check: "server-version",
    when: "the new host has another major version",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, newcomer, { binaryVersionText: "postgres (PostgreSQL) 14.9" }),
  },
  {
    check: "server-version",
    when: "the new host has another vendor build",
    status: "warn",
    options: kingbase,
    edit: (world) =>
      changeDatabase(world, newcomer, {
        binaryVersionText: "kingbase (KingbaseES) V008R003C002B0160",
      }),
  },
  {
    check: "client-version",
    when: "pg_basebackup is older than the server",
    status: "fail",
    edit: (world) => {
      for (const node of ["srv127", "srv129"])
        changeDatabase(world, node, { versionNumber: 180_004 });
    },
    says: /pg_basebackup 15 can't copy from server 18/,
  },
  {
    check: "architecture",
    when: "the new host has another architecture",
    status: "fail",
    edit: host(newcomer, { architecture: "arm64" }),
  },
  {
    check: "glibc",
    when: "sort orders changed between the two C libraries",
    status: "fail",
    edit: (world) => {
      changeDatabase(world, "srv127", {
        databases: [{ name: "app", bytes: 1, encoding: "UTF8", collate: "en_US.UTF-8" }],
      });
      host(newcomer, { glibc: "2.17" })(world);
    },
    says: /REINDEX/,
  },
  {
    check: "locales",
    when: "a database's locale is missing",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        databases: [{ name: "app", bytes: 1, encoding: "UTF8", collate: "zh_CN.UTF-8" }],
      }),
    says: /zh_CN/,
  },
  {
    check: "preload-libraries",
    when: "a library that the server loads is missing",
    status: "fail",
    edit: (world) => {
      changeSettings(world, "srv127", { shared_preload_libraries: "pg_stat_statements" });
      target((answer) => ({ ...answer, missingLibraries: ["pg_stat_statements"] }))(world);
    },
    says: /pg_stat_statements/,
  },
  {
    check: "extensions",
    when: "an installed extension is missing",
    status: "fail",
    edit: target((answer) => ({ ...answer, missingExtensions: ["postgis"] })),
    says: /postgis/,
  },
  {
    check: "programs",
    when: "a program is missing",
    status: "fail",
    edit: target((answer) => ({
      ...answer,
      missingPrograms: ["/usr/lib/postgresql/15/bin/pg_ctl"],
    })),
  },
  {
    pitfall: "F23",
    check: "licence",
    when: "the licence file is missing",
    status: "fail",
    options: kingbase,
    edit: target((answer) => ({ ...answer, licenceFile: "missing" })),
    says: /license\.dat/,
  },
  {
    check: "os-user",
    when: "the database's user has another name",
    status: "fail",
    edit: host(newcomer, { user: { name: "kingbase", uid: 1000, gid: 1000 } }),
  },
  {
    check: "os-user",
    when: "the database's user has another number",
    status: "warn",
    edit: host(newcomer, { user: { name: "postgres", uid: 2000, gid: 2000 } }),
  },
];
