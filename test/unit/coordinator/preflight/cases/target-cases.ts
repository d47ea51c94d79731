import { changeDatabase } from "../../world.ts";
import type { Case } from "./case.ts";
import { dataDirectory, directories, host, newcomer, target } from "./edits.ts";

export const targetCases: readonly Case[] = [
  {
    check: "no-database-yet",
    when: "a database runs on the new host",
    status: "fail",
    edit: (world) => changeDatabase(world, newcomer, { status: "running", role: "standby" }),
  },
  {
    check: "target-directory",
    when: "the data directory is not empty",
    status: "fail",
    edit: dataDirectory({ state: "not-empty", mode: 0o700, entries: ["PG_VERSION", "base"] }),
    says: /PG_VERSION, base/,
  },
  {
    check: "target-directory",
    when: "it is a file",
    status: "fail",
    edit: dataDirectory({ state: "not-a-directory" }),
  },
  {
    check: "target-directory",
    when: "its parent can't be written",
    status: "fail",
    edit: dataDirectory({ parentWritable: false }),
    says: /mkdir -p/,
  },
  {
    check: "target-mode",
    when: "the directory is open to others",
    status: "fail",
    edit: dataDirectory({ state: "empty", mode: 0o755, owner: "postgres" }),
    says: /0755.*chmod 0700/s,
  },
  {
    check: "target-mode",
    when: "the directory is someone else's",
    status: "fail",
    edit: dataDirectory({ state: "empty", mode: 0o700, owner: "root" }),
  },
  {
    check: "staging-directory",
    when: "files of someone else lie where the copy goes",
    status: "fail",
    edit: target((answer) => ({ ...answer, stagingState: "foreign" })),
  },
  {
    check: "staging-directory",
    when: "an earlier copy was not taken back",
    status: "fail",
    edit: target((answer) => ({ ...answer, stagingState: "ours" })),
  },
  {
    check: "port-free",
    when: "something listens at the port",
    status: "fail",
    edit: target((answer) => ({ ...answer, portInUse: true })),
  },
  {
    check: "target-space",
    when: "the disk is full",
    status: "fail",
    edit: directories({ freeBytes: 1024 ** 2 }),
  },
  {
    check: "target-inodes",
    when: "inodes run out",
    status: "fail",
    edit: directories({ freeInodes: 10 }),
  },
  {
    check: "target-filesystem",
    when: "the data would lie in memory",
    status: "warn",
    edit: directories({ type: "tmpfs" }),
    says: /memory/,
  },
  {
    check: "target-filesystem",
    when: "the data would lie on a FAT stick",
    status: "fail",
    edit: directories({ type: "vfat" }),
  },
  {
    check: "target-directories",
    when: "an archive directory can't be made",
    status: "fail",
    edit: target((answer) => ({
      ...answer,
      directories: [
        ...answer.directories,
        {
          path: "/srv/archive",
          exists: false,
          writable: false,
          freeBytes: 1024 ** 4,
          freeInodes: 1_000_000,
          type: "ext4",
        },
      ],
    })),
    says: /\/srv\/archive/,
  },
  {
    check: "memory",
    when: "shared_buffers doesn't fit",
    status: "fail",
    edit: host(newcomer, { memoryBytes: 64 * 1024 ** 2 }),
  },
  {
    pitfall: "F20",
    check: "limits",
    when: "few files may be open",
    status: "warn",
    edit: host(newcomer, { limits: { openFiles: 1_024, processes: 65_535 } }),
    says: /open files 1024/,
  },
  {
    check: "tablespaces",
    when: "a tablespace lies inside the data directory",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        tablespaces: [{ oid: 1, name: "ts", location: "/var/lib/postgresql/15/main/ts", bytes: 1 }],
      }),
  },
];
