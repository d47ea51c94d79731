import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");

/**
 * Who may import whom. `may` lists folders (or packages) beyond the folder itself. A new folder gets
 * a row here first. The most specific row of a file counts.
 */
const rows: readonly {
  folder: string;
  may: readonly string[];
  pure?: boolean;
  packages: readonly string[] | "any";
}[] = [
  {
    folder: "shared/domain",
    may: ["shared/errors.ts", "shared/config-files/ip-address.ts"],
    pure: true,
    packages: ["zod"],
  },
  { folder: "shared/config-files", may: ["shared/domain"], pure: true, packages: [] },
  { folder: "shared/products", may: ["shared/domain"], pure: true, packages: [] },
  { folder: "shared", may: ["shared"], packages: ["zod", "pino"] },
  { folder: "agent/decide", may: ["shared"], pure: true, packages: [] },
  { folder: "agent/steps", may: ["agent", "shared"], packages: ["zod"] },
  { folder: "agent/adapters", may: ["agent", "shared"], packages: ["execa", "pg", "ws", "zod"] },
  { folder: "agent/watch", may: ["agent", "shared"], packages: ["zod"] },
  {
    folder: "agent/root-helper",
    may: ["shared/config-files", "shared/products", "shared/errors.ts"],
    packages: [],
  },
  {
    folder: "agent",
    may: ["agent", "shared"],
    packages: ["commander", "node-cron", "yaml", "zod"],
  },
  { folder: "coordinator/cli/render", may: ["coordinator", "shared"], pure: true, packages: [] },
  {
    folder: "coordinator/operations/add-node",
    may: ["coordinator", "shared"],
    pure: true,
    packages: ["zod"],
  },
  {
    folder: "coordinator/rules",
    may: ["coordinator/store", "shared"],
    pure: true,
    packages: [],
  },
  { folder: "coordinator/failover/decide.ts", may: ["shared/domain"], pure: true, packages: [] },
  { folder: "coordinator/alerts", may: ["coordinator", "shared"], packages: ["execa", "zod"] },
  { folder: "coordinator/store", may: ["coordinator", "shared"], packages: ["libsql", "zod"] },
  { folder: "coordinator/trust", may: ["coordinator", "shared"], packages: ["execa"] },
  {
    folder: "coordinator",
    may: ["coordinator", "shared"],
    packages: ["commander", "log-update", "ws", "yaml", "zod"],
  },
  { folder: "test", may: ["agent", "coordinator", "shared", "test"], packages: "any" },
];

type Import = {
  readonly from: string;
  readonly to: string;
  readonly isPackage: boolean;
  readonly isType: boolean;
};

const files = ["agent", "coordinator", "shared", "test"].flatMap((folder) =>
  sourceFiles(join(root, folder)),
);
const imports = files.flatMap(importsOf);

test("every import follows the table of allowed directions", () => {
  const broken = imports.filter((it) => !isAllowed(it)).map((it) => `${it.from} imports ${it.to}`);
  expect(broken).toEqual([]);
});

test("agent and coordinator never import each other, not even a type", () => {
  const crossings = imports.filter(
    (it) =>
      (it.from.startsWith("agent/") && it.to.startsWith("coordinator/")) ||
      (it.from.startsWith("coordinator/") && it.to.startsWith("agent/")),
  );
  expect(crossings).toEqual([]);
});

test("folders that decide use no clock, no randomness, no environment and no Node module", () => {
  const impure = files
    .filter((file) => rowOf(file)?.pure === true)
    .filter((file) =>
      /\b(Date\.now|Math\.random|process\.|setTimeout|from "node:)/.test(read(file)),
    );
  expect(impure).toEqual([]);
});

test("only main.ts files read the process", () => {
  const readers = files
    .filter((file) => !file.startsWith("test/") && !/(^|\/)(main|crash-point)\.ts$/.test(file))
    .filter((file) => /\bprocess\.(env|argv|exit|stdin|stdout|stderr)\b/.test(read(file)));
  expect(readers).toEqual([]);
});

test("nothing of an agent asks Intl, whose tables would stay in its memory", () => {
  const askers = files
    .filter((file) => /^(agent|shared)\//.test(file))
    .filter((file) => /\bIntl\.|localeCompare|\.toLocale/.test(read(file)));
  expect(askers).toEqual([]);
});

test("there is no import cycle", () => {
  expect(findCycle()).toEqual([]);
});

test("no product is asked for by name outside the product tables", () => {
  const askers = files
    .filter((file) => !file.startsWith("test/") && !file.startsWith("shared/products/"))
    .filter((file) => /[!=]==? "(kingbase-v8r3|postgresql)"/.test(read(file)));
  expect(askers).toEqual([]);
});

function isAllowed({ from, to, isPackage }: Import): boolean {
  const row = rowOf(from);
  if (row === undefined) return false;
  if (to.startsWith("node:")) return row.pure !== true;
  if (isPackage) return row.packages === "any" || row.packages.includes(to);
  return [row.folder, ...row.may].some((place) => to === place || to.startsWith(`${place}/`));
}

function rowOf(file: string) {
  return rows
    .filter((row) => file.startsWith(`${row.folder}/`))
    .sort((a, b) => b.folder.length - a.folder.length)[0];
}

function importsOf(file: string): Import[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^;]*?from\s+"([^"]+)"|import\("([^"]+)"\)/g;
  return [...read(file).matchAll(pattern)].map((match) => {
    const target = match[2] ?? match[3] ?? "";
    const isPackage = !target.startsWith(".") && !target.startsWith("#");
    return {
      from: file,
      to: isPackage ? packageName(target) : local(file, target),
      isPackage,
      isType: match[1] !== undefined,
    };
  });
}

function packageName(target: string): string {
  if (target.startsWith("node:")) return target;
  return target
    .split("/")
    .slice(0, target.startsWith("@") ? 2 : 1)
    .join("/");
}

function local(file: string, target: string): string {
  return target.startsWith("#")
    ? target.slice(1)
    : relative(root, resolve(root, dirname(file), target));
}

function findCycle(): string[] {
  const graph = new Map<string, string[]>();
  for (const { from, to, isPackage, isType } of imports) {
    if (!isPackage && !isType) graph.set(from, [...(graph.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...path, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return name.endsWith(".ts") ? [relative(root, path)] : [];
  });
}
