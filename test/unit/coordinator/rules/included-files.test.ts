import { expect, test } from "vitest";
import { causeOf } from "#coordinator/rules/evaluate.ts";
import type { World } from "../world.ts";
import { all, append, file, include, inFile, type Edit } from "./edits.ts";
import { evaluate, ruleWorld } from "./rule-world.ts";

const configFile = "/etc/postgresql/15/main/postgresql.conf";
const extra = "/etc/postgresql/15/main/conf.d/10-site.conf";
const inFolder = (text: string) =>
  include("srv129", "conf.d/10-site.conf", text, "include_dir 'conf.d'");
const gone = { state: "absent", maskedText: null, hash: null } as const;
const unreadable = { state: "unreadable", maskedText: null, hash: null } as const;

function debian(...edits: readonly Edit[]): World {
  const world = ruleWorld({ product: "postgresql", debian: true });
  all(...edits)(world);
  return world;
}

const places = (world: World): readonly string[] =>
  evaluate(world).breaches.map(
    ({ rule, node, file: path, line }) => `${rule.id} ${node ?? "-"} ${path ?? "-"}:${line ?? "-"}`,
  );

const port = "# ours\nport = 5433\n";
const portCause = causeOf("ESHA", "ports-agree", "srv129", "configured");

test("a setting in an included file breaks a rule, which names that file and line", () => {
  expect(places(debian(inFolder(port)))).toEqual([`ports-agree srv129 ${extra}:2`]);
});

test.each<readonly [string, Edit]>([
  ["another line comes after the include", append("srv129", "postgresql.conf", "port = 5432\n")],
  ["*.auto.conf says otherwise", append("srv129", "postgresql.auto.conf", "port = 5432\n")],
  ["it is mended", inFile("srv129", "10-site.conf", "5433", "5432")],
  ["the file is gone", file("srv129", "10-site.conf", gone)],
  ["it is not included any more", inFile("srv129", "postgresql.conf", "include_dir", "#include_dir")], // prettier-ignore
])("it is no breach, and a former one is over, where %s", (_what, edit) => {
  const world = debian(inFolder(port), edit);
  expect(places(world)).toEqual([]);
  expect(evaluate(world).isJudged(portCause)).toBe(true);
});

test("of a file that can't be read nothing is claimed, no default either", () => {
  const world = debian(inFolder(port), file("srv129", "10-site.conf", unreadable));
  expect(places(world)).toEqual([]);
  const { isJudged } = evaluate(world);
  expect(isJudged(portCause)).toBe(false);
  expect(isJudged(causeOf("ESHA", "setting-once", "srv129", "conf.d/10-site.conf port"))).toBe(
    false,
  );
});

test("what may stand in a file that can't be read is not missing", () => {
  const world = debian(
    inFile("srv129", "postgresql.auto.conf", /primary_slot_name.*\n/, ""),
    inFolder("primary_slot_name = 'slot_srv129'\n"),
  );
  expect(places(world)).toEqual([]);
  file("srv129", "10-site.conf", unreadable)(world);
  expect(places(world)).toEqual([]);
  const cause = causeOf("ESHA", "own-slot", "srv129", "postgresql.auto.conf");
  expect(evaluate(world).isJudged(cause)).toBe(false);
});

test("a breach names the file of the line that breaks it, not that of another", () => {
  const world = debian(
    inFile("srv129", "postgresql.auto.conf", /primary_slot_name.*\n/, ""),
    inFolder("primary_slot_name = 'slot_srv127'\n"),
  );
  expect(places(world)).toEqual([`own-slot srv129 ${extra}:1`]);
});

test("an include of a file that is not there is told with its own place", () => {
  const world = debian(include("srv129", "site.conf", "", "include 'site.conf'"));
  expect(places(world)).toEqual([]);
  file("srv129", "/site.conf", gone)(world);
  expect(places(world)).toEqual([expect.stringMatching(`^file-parses srv129 ${configFile}:\\d+$`)]);
});

test("what is wrong in an included file is told of it, and over when nothing includes it any more", () => {
  const world = debian(inFolder("port = 5432\nport 'x\n"));
  expect(places(world)).toEqual([`file-parses srv129 ${extra}:2`]);
  const { cause } = evaluate(world).breaches[0] ?? { cause: "" };
  inFile("srv129", "postgresql.conf", "include_dir", "#include_dir")(world);
  expect(places(world)).toEqual([]);
  expect(evaluate(world).isJudged(cause)).toBe(true);
});

test("files of the same name in different directories are told apart", () => {
  const broken = (path: string) => include("srv129", path, "port 'x\n", `include '${path}'`);
  const world = debian(broken("/srv/common/site.conf"), broken("/srv/shop/site.conf"));
  const causes = evaluate(world).breaches.map(({ cause }) => cause);
  expect(causes).toHaveLength(2);
  expect(new Set(causes).size).toBe(2);
});
