import { probedDirectory } from "../free-space.ts";
import { sizeOfCopy } from "../forecast.ts";
import { printBytes } from "../print-units.ts";
import { settingNumber, type Situation } from "../situation.ts";
import { type Check, fail, nameOf, pass, type Verdict, warn } from "./check.ts";

const target = (s: Situation) => s.probes.target?.answer ?? null;
const asked = (s: Situation): boolean => target(s) !== null;
const name = (s: Situation): string => nameOf(s.newcomer);

/** Where a database's files can't live at all. */
const impossibleTypes: ReadonlySet<string> = new Set([
  "vfat",
  "msdos",
  "exfat",
  "ntfs",
  "iso9660",
  "squashfs",
  "proc",
  "sysfs",
  "devtmpfs",
  "cgroup",
  "cgroup2",
]);
/** Where they can live, but not safely. */
const doubtfulTypes: Readonly<Record<string, string>> = {
  tmpfs: "it is memory: a reboot takes the data away",
  ramfs: "it is memory: a reboot takes the data away",
  nfs: "over NFS a lost lock or a soft mount corrupts data",
  nfs4: "over NFS a lost lock or a soft mount corrupts data",
  cifs: "SMB shares don't keep the order of writes",
  fuse: "few FUSE filesystems keep the order of writes",
};

/** The new host: its directories, its space, its limits. */
export const targetChecks: readonly Check[] = [
  {
    id: "no-database-yet",
    title: "No database runs on the new host's data directory",
    wanted: "none",
    applies: (s) => s.newcomer.facts !== null,
    evaluate: (s) => {
      const status = s.newcomer.facts?.database.status ?? "absent";
      if (status === "absent") return pass(name(s), "none");
      const { dataDirectory } = s.newcomer.declared.paths;
      const fix = `It is not new: stop that database and move ${dataDirectory} away if nothing needs it.`;
      return fail(name(s), `a database that is ${status}`, fix);
    },
  },
  {
    id: "target-directory",
    title: "The data directory is empty, or not there yet",
    wanted: "empty or absent",
    applies: asked,
    evaluate: (s) => {
      const { dataDirectory } = s.newcomer.declared.paths;
      const found = target(s)?.dataDirectory;
      switch (found?.state) {
        case undefined:
          return [];
        case "absent":
          return found.parentWritable
            ? pass(name(s), `${dataDirectory} is not there yet`)
            : fail(
                name(s),
                `${dataDirectory} is not there, and its parent can't be written`,
                `mkdir -p ${dataDirectory} && chown ${userOf(s)}: ${dataDirectory} && chmod 0700 ${dataDirectory}`,
              );
        case "empty":
          return pass(name(s), `${dataDirectory} is empty`);
        case "not-empty": {
          const entries = found.entries.slice(0, 5).join(", ");
          const fix = `Choose another with --data-dir, or move these away: ls -A ${dataDirectory}`;
          return fail(name(s), `${dataDirectory} holds ${entries}`, fix);
        }
        case "not-a-directory":
          return fail(
            name(s),
            `${dataDirectory} is no directory`,
            "Move it away, or choose another with --data-dir.",
          );
        case "unreadable":
          return fail(
            name(s),
            `${dataDirectory} can't be read`,
            `chown ${userOf(s)}: ${dataDirectory} && chmod 0700 ${dataDirectory}`,
          );
      }
    },
  },
  {
    id: "target-mode",
    title: "The data directory is the database user's alone",
    wanted: "owner the database's user, mode 0700",
    applies: (s) => target(s)?.dataDirectory.mode != null,
    evaluate: (s) => {
      const { dataDirectory } = s.newcomer.declared.paths;
      const { mode, owner } = target(s)?.dataDirectory ?? { mode: null, owner: null };
      if (mode === null) return [];
      const bits = mode & 0o7777;
      const printed = `0${bits.toString(8).padStart(3, "0")}`;
      const found = `${owner ?? "unknown owner"}, mode ${printed}`;
      const user = userOf(s);
      const isOwn =
        owner === null || owner === user || owner === String(s.newcomer.facts?.host.user.uid);
      if (bits === 0o700 && isOwn) return pass(name(s), found);
      const fix = `chown ${user}: ${dataDirectory} && chmod 0700 ${dataDirectory}`;
      return fail(name(s), found, fix, `${user}, mode 0700`);
    },
  },
  {
    id: "staging-directory",
    title: "Nobody's files lie where the copy goes first",
    wanted: "absent",
    applies: asked,
    evaluate: (s) => {
      const state = target(s)?.stagingState;
      if (state === "absent") return pass(name(s), "absent");
      if (state === "ours") {
        const fix = `An earlier copy was not taken back: "castellan operation list" shows it; then rm -r ${s.stagingDirectory}`;
        return fail(name(s), `${s.stagingDirectory} is left of an earlier copy`, fix);
      }
      return fail(name(s), `${s.stagingDirectory} is there and not ours`, "Move it away.");
    },
  },
  {
    id: "port-free",
    title: "The port is free on the new host",
    wanted: "nobody listens there",
    applies: asked,
    evaluate: (s) => {
      const { port, address } = s.newcomer.declared;
      // On one host the others listen at the same port of their own addresses.
      const isTaken = s.isOneHost
        ? [...s.probes.reachToNewcomer.values()].some(
            (asked) => asked.answer?.tcp[0]?.answer === "open",
          )
        : target(s)?.portInUse === true;
      if (!isTaken) return pass(name(s), `${address}:${port} is free`);
      return fail(
        name(s),
        `something listens at ${address}:${port}`,
        "Stop it, or choose another with --port.",
      );
    },
  },
  {
    id: "target-space",
    title: "Every filesystem that the copy touches has room",
    wanted: "more than the copy needs",
    applies: asked,
    evaluate: (s) => {
      const needed = sizeOfCopy(s);
      const home = probedDirectory(s.probes, s.stagingDirectory);
      if (home === null) return [];
      const found = `${printBytes(home.freeBytes)} free under ${home.path}, ${printBytes(needed)} to copy`;
      if (home.freeBytes > needed || s.tablespaces.length > 0) return pass(name(s), found);
      return fail(name(s), found, "Give it more space, or choose another place with --data-dir.");
    },
  },
  {
    id: "target-inodes",
    title: "Every filesystem that the copy touches has inodes to spare",
    wanted: "enough for every file of the databases",
    applies: asked,
    evaluate: (s) => {
      const facts = s.source?.facts?.database;
      if (facts === undefined) return [];
      // About 300 files a database before anyone makes a table; files are cut at 1 GiB.
      const needed = 1_000 + facts.databases.length * 1_000 + Math.ceil(sizeOfCopy(s) / 1024 ** 3);
      return (
        (target(s)?.directories ?? [])
          // A filesystem that makes inodes as it needs them says zero.
          .filter(({ freeInodes }) => freeInodes > 0 && freeInodes < needed)
          .map(({ path, freeInodes }) =>
            fail(
              name(s),
              `${freeInodes} free under ${path}`,
              "Remove files there, or choose another place.",
              `${needed} or more`,
            ),
          )
          .concat(allInodesFine(s, needed))
      );
    },
  },
  {
    id: "target-filesystem",
    title: "The data lies on a filesystem that is made for it",
    wanted: "a local disk's filesystem",
    applies: asked,
    evaluate: (s) => {
      const places = [s.stagingDirectory, ...s.tablespaces.map(({ to }) => to)];
      return places.flatMap((place): readonly Verdict[] => {
        const found = probedDirectory(s.probes, place);
        if (found === null) return [];
        const type = found.type.toLowerCase();
        const text = `${place}: ${found.type}`;
        const fix = "Choose a place on a local disk with --data-dir.";
        if (impossibleTypes.has(type)) return [fail(name(s), text, fix)];
        const doubt = doubtfulTypes[type.split(".")[0] ?? type];
        return [
          doubt === undefined ? pass(name(s), text) : warn(name(s), `${text}: ${doubt}`, fix),
        ];
      });
    },
  },
  {
    id: "target-directories",
    title: "Every other directory that the node writes to can be made",
    wanted: "writable, or with a parent that is",
    applies: asked,
    evaluate: (s) => {
      const { dataDirectory } = s.newcomer.declared.paths;
      const others = (target(s)?.directories ?? []).filter(
        ({ path }) => path !== dataDirectory && path !== s.stagingDirectory,
      );
      const closed = others.filter(({ writable }) => !writable);
      if (closed.length === 0) return pass(name(s), `${others.length} directories`);
      return closed.map(({ path }) =>
        fail(
          name(s),
          `${path} can't be written`,
          `mkdir -p ${path} && chown ${userOf(s)}: ${path}, and name it in allow.paths of agent.yaml.`,
        ),
      );
    },
  },
  {
    id: "memory",
    title: "The new host has the memory that the configuration asks for",
    wanted: "more than shared_buffers",
    applies: (s) => s.newcomer.facts !== null,
    evaluate: (s) => {
      const bytes = s.newcomer.facts?.host.memoryBytes ?? 0;
      const blocks = settingNumber(s.source, "shared_buffers") ?? 0;
      const buffers = blocks * (settingNumber(s.source, "block_size") ?? 8_192);
      const found = `${printBytes(bytes)}, shared_buffers ${printBytes(buffers)}`;
      if (buffers > bytes) {
        return fail(
          name(s),
          found,
          "The server would not start: lower shared_buffers, or add memory.",
        );
      }
      const theirs = s.primary?.facts?.host.memoryBytes ?? bytes;
      if (bytes < 1024 ** 3 || bytes < theirs / 2) {
        return warn(
          name(s),
          found,
          `It has far less than the primary (${printBytes(theirs)}): it may not keep up.`,
        );
      }
      return pass(name(s), found);
    },
  },
  {
    id: "limits",
    title: "The OS limits of the database's user are high enough",
    wanted: "open files and processes 65535 or more",
    applies: (s) => s.newcomer.facts !== null,
    evaluate: (s) => {
      const { openFiles, processes } = s.newcomer.facts?.host.limits ?? {
        openFiles: null,
        processes: null,
      };
      const low = [
        ...(openFiles !== null && openFiles < 65_535 ? [`open files ${openFiles}`] : []),
        ...(processes !== null && processes < 65_535 ? [`processes ${processes}`] : []),
      ];
      if (low.length === 0) return pass(name(s), "open files and processes 65535 or more");
      return warn(
        name(s),
        low.join(", "),
        `Raise them in /etc/security/limits.d for ${userOf(s)}, and in the unit.`,
      );
    },
  },
  {
    id: "tablespaces",
    title: "Every tablespace has a place of its own on the new host",
    wanted: "a place that no other node uses",
    applies: (s) => s.tablespaces.length > 0,
    evaluate: (s) =>
      s.tablespaces.map(({ from, to }): Verdict => {
        const found = from === to ? to : `${from} → ${to}`;
        const { dataDirectory } = s.newcomer.declared.paths;
        if (to === dataDirectory || to.startsWith(`${dataDirectory}/`)) {
          return fail(
            name(s),
            found,
            "A tablespace inside the data directory is copied twice: move it away on the source first.",
          );
        }
        return pass(name(s), found);
      }),
  },
];

function allInodesFine(s: Situation, needed: number): readonly Verdict[] {
  const directories = target(s)?.directories ?? [];
  const short = directories.some(({ freeInodes }) => freeInodes > 0 && freeInodes < needed);
  return short ? [] : [pass(name(s), `${needed} or more free`)];
}

function userOf(s: Situation): string {
  return s.newcomer.facts?.host.user.name ?? s.product.defaults.osUser;
}
