import { preloadLibraries } from "../gather.ts";
import { includesOf, type Situation } from "../situation.ts";
import { type Check, fail, nameOf, pass, type Verdict, warn, withDatabase } from "./check.ts";

const known = (s: Situation): boolean => s.newcomer.facts !== null && s.primary?.facts != null;

/** The programs on the new host against those that made the data. */
export const softwareChecks: readonly Check[] = [
  {
    id: "included-files",
    title: "The server configuration includes no other file",
    wanted: "every setting in the file itself",
    applies: (s) => includesOf(s.source).length > 0,
    evaluate: (s) => {
      const node = s.source === null ? null : nameOf(s.source);
      const found = includesOf(s.source).map(
        ({ kind, path, line }) => `${kind} '${path}' (line ${line})`,
      );
      return warn(
        node,
        found.join(", "),
        `If a setting in there should hold on ${nameOf(s.newcomer)} too, copy it: included files outside the data directory aren't carried over.`,
      );
    },
  },
  {
    id: "same-build",
    title: "All existing nodes run the same build",
    wanted: "the primary's build",
    applies: (s) => s.primary !== null,
    evaluate: (s) =>
      withDatabase(s.existing).map((node): Verdict => {
        const wanted = s.primary?.facts?.database.versionText ?? "";
        const found = node.facts?.database.versionText ?? "";
        if (found === wanted) return pass(nameOf(node), shortVersion(found));
        return warn(
          nameOf(node),
          shortVersion(found),
          "Bring all nodes to one build.",
          shortVersion(wanted),
        );
      }),
  },
  {
    id: "server-version",
    title: "The new host has the cluster's server version",
    wanted: "the same major version",
    applies: known,
    evaluate: (s) => {
      const text = s.newcomer.facts?.database.binaryVersionText ?? null;
      const name = nameOf(s.newcomer);
      const { binDirectory } = s.newcomer.declared.paths;
      const wanted = s.primary?.facts?.database.versionText ?? "";
      const fix = `Install the build of ${s.primary === null ? "the primary" : nameOf(s.primary)} in ${binDirectory}.`;
      if (text === null)
        return fail(name, `no ${s.product.programs.server} in ${binDirectory}`, fix);
      const theirs = versionToken(wanted);
      const ours = versionToken(text);
      if (majorOf(ours) !== majorOf(theirs)) return fail(name, text, fix, shortVersion(wanted));
      return ours === theirs ? pass(name, text) : warn(name, text, fix, shortVersion(wanted));
    },
  },
  {
    id: "client-version",
    title: "The base backup program is not older than the server",
    wanted: "at least the server's major version",
    applies: known,
    evaluate: (s) => {
      const program = s.product.programs.baseBackup;
      const client = s.newcomer.facts?.database.clientVersionNumber ?? null;
      const server = s.source?.facts?.database.versionNumber ?? null;
      const name = nameOf(s.newcomer);
      if (server === null) return [];
      const place = s.newcomer.declared.paths.binDirectory;
      if (client === null) {
        return fail(
          name,
          `no ${program} in ${place}`,
          `Install ${program} ${majorOfNumber(server)} there.`,
        );
      }
      if (Math.floor(client / 10_000) >= Math.floor(server / 10_000)) {
        return pass(name, `${program} ${majorOfNumber(client)}, server ${majorOfNumber(server)}`);
      }
      return fail(
        name,
        `${program} ${majorOfNumber(client)} can't copy from server ${majorOfNumber(server)}`,
        `Install ${program} ${majorOfNumber(server)} in ${place} on ${name}.`,
        `${program} ${majorOfNumber(server)} or newer`,
      );
    },
  },
  {
    id: "architecture",
    title: "The new host has the primary's architecture",
    wanted: "the primary's architecture",
    applies: known,
    evaluate: (s) => {
      const wanted = s.primary?.facts?.host.architecture ?? "";
      const found = s.newcomer.facts?.host.architecture ?? "";
      if (found === wanted) return pass(nameOf(s.newcomer), found);
      const fix = "Data files are copied as they are: take a host of the same architecture.";
      return fail(nameOf(s.newcomer), found, fix, wanted);
    },
  },
  {
    id: "glibc",
    title: "Text sorts the same way on the new host",
    wanted: "the primary's C library version",
    applies: known,
    evaluate: (s) => {
      const wanted = s.primary?.facts?.host.glibc ?? null;
      const found = s.newcomer.facts?.host.glibc ?? null;
      const name = nameOf(s.newcomer);
      if (found === wanted) return pass(name, found ?? "the same");
      const sorted = s.primary?.facts?.database.databases.some(
        ({ collate }) => !isByteOrder(collate),
      );
      if (sorted !== true)
        return pass(name, `${found ?? "another"}, and every database sorts by bytes`);
      const fix =
        "Indexes on text can be wrong there: take the same OS release, or be ready to REINDEX after a promotion.";
      const text = `${found ?? "another C library"}`;
      // The order of nearly every locale changed in 2.28 (PostgreSQL wiki, Locale data changes).
      const crosses = isBefore228(found) !== isBefore228(wanted);
      return crosses
        ? fail(name, text, fix, wanted ?? "the same")
        : warn(name, text, fix, wanted ?? "the same");
    },
  },
  {
    id: "locales",
    title: "The new host has the locale of every database",
    wanted: "every collation of a database",
    applies: (s) => s.probes.target?.answer != null,
    evaluate: (s) => {
      const there = new Set((s.probes.target?.answer?.locales ?? []).map(normalizeLocale));
      const needed = new Set(
        (s.source?.facts?.database.databases ?? [])
          .map(({ collate }) => collate)
          .filter((collate) => !isByteOrder(collate) && collate !== ""),
      );
      const missing = [...needed].filter((locale) => !there.has(normalizeLocale(locale)));
      if (missing.length === 0) return pass(nameOf(s.newcomer), "all there");
      return fail(
        nameOf(s.newcomer),
        `missing: ${missing.join(", ")}`,
        `Make them on ${nameOf(s.newcomer)} (localedef, or locale-gen on Debian).`,
      );
    },
  },
  {
    id: "preload-libraries",
    title: "The new host has every library that the server loads at its start",
    wanted: "every library of shared_preload_libraries",
    applies: (s) => s.probes.target?.answer != null,
    evaluate: (s) => {
      const missing = s.probes.target?.answer?.missingLibraries ?? [];
      const all = preloadLibraries(s.source);
      if (missing.length === 0) return pass(nameOf(s.newcomer), all.join(", ") || "none is loaded");
      return fail(
        nameOf(s.newcomer),
        `missing: ${missing.join(", ")}`,
        "Install their packages there: the server would not start without them.",
        all.join(", "),
      );
    },
  },
  {
    id: "extensions",
    title: "The new host has every installed extension",
    wanted: "every extension of the cluster",
    applies: (s) => s.probes.target?.answer != null,
    evaluate: (s) => {
      const missing = s.probes.target?.answer?.missingExtensions ?? [];
      if (missing.length === 0) return pass(nameOf(s.newcomer), "all there");
      return fail(
        nameOf(s.newcomer),
        `missing: ${missing.join(", ")}`,
        "Install their packages there: queries that use them would fail on this node.",
      );
    },
  },
  {
    id: "programs",
    title: "The new host has every program that the plan runs",
    wanted: "all programs",
    applies: (s) => s.probes.target?.answer != null,
    evaluate: (s) => {
      const missing = s.probes.target?.answer?.missingPrograms ?? [];
      if (missing.length === 0) return pass(nameOf(s.newcomer), "all there");
      return fail(
        nameOf(s.newcomer),
        `missing: ${missing.join(", ")}`,
        `Install them on ${nameOf(s.newcomer)} (database programs in ${s.newcomer.declared.paths.binDirectory}).`,
      );
    },
  },
  {
    id: "licence",
    title: "The new host has a licence file",
    wanted: "present, and valid for that host",
    applies: (s) => s.product.vendor !== null && s.probes.target?.answer != null,
    evaluate: (s) => {
      const found = s.probes.target?.answer?.licenceFile ?? "missing";
      const { root } = s.newcomer.declared.paths;
      const path = s.product.vendor?.licenceFile(root ?? "") ?? "license.dat";
      if (found !== "missing") return pass(nameOf(s.newcomer), found === "present" ? path : found);
      return fail(
        nameOf(s.newcomer),
        `no ${path}`,
        `Put a licence that is valid for this host at ${path}.`,
      );
    },
  },
  {
    id: "os-user",
    title: "The database's OS user is the same on the new host",
    wanted: "the same name and number",
    applies: known,
    evaluate: (s) => {
      const wanted = s.primary?.facts?.host.user;
      const found = s.newcomer.facts?.host.user;
      const name = nameOf(s.newcomer);
      if (wanted === undefined || found === undefined) return [];
      const text = `${found.name} (uid ${found.uid})`;
      const right = `${wanted.name} (uid ${wanted.uid})`;
      if (found.name !== wanted.name) {
        return fail(name, text, `Run the agent and the database there as ${wanted.name}.`, right);
      }
      if (found.uid === wanted.uid) return pass(name, text);
      return warn(name, text, "Only shared storage and copied backups mind the number.", right);
    },
  },
];

/** `PostgreSQL 15.18 (Debian …) on x86_64…` → `PostgreSQL 15.18` */
function shortVersion(text: string): string {
  return text.split(/ on | \(|, compiled/)[0]?.trim() || "unknown";
}

/** `15.18`, `10.23`, `V008R003C002B0290` */
function versionToken(text: string): string {
  return /V\d{3}R\d{3}C\d{3}B\d+|\d+(?:\.\d+)+|\b\d{2}\b/.exec(text)?.[0] ?? text;
}

/** Of a vendor build the release, of PostgreSQL the first number (9.x: two). */
function majorOf(token: string): string {
  if (token.startsWith("V")) return token.slice(0, 8);
  const [first = token, second = ""] = token.split(".");
  return first === "9" ? `${first}.${second}` : first;
}

function majorOfNumber(version: number): string {
  const major = Math.floor(version / 10_000);
  return major < 10 ? `${major}.${Math.floor((version % 10_000) / 100)}` : String(major);
}

function isByteOrder(collate: string): boolean {
  return collate === "C" || collate === "POSIX";
}

/** `en_US.UTF-8` and `en_US.utf8` are one locale. */
function normalizeLocale(locale: string): string {
  return locale.toLowerCase().replaceAll("-", "");
}

function isBefore228(glibc: string | null): boolean {
  const [major = 0, minor = 0] = (glibc ?? "0.0").split(".").map(Number);
  return major < 2 || (major === 2 && minor < 28);
}
