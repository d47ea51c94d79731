import type { FileFacts, NodeFacts } from "#shared/domain/facts.ts";
import { absentFile } from "../file-facts.ts";
import {
  change,
  changeDatabase,
  changeFile,
  changePool,
  changeSettings,
  type World,
} from "../world.ts";

export type Edit = (world: World) => void;

/** Several edits of one case. */
export function all(...edits: readonly Edit[]): Edit {
  return (world) => {
    for (const edit of edits) edit(world);
  };
}

export function inFile(node: string, name: string, from: string | RegExp, to: string): Edit {
  return (world) => {
    changeFile(world, node, name, (text) => {
      const after = text.replace(from, to);
      if (after === text) throw new Error(`${name} of ${node} has no ${String(from)}: ${text}`);
      return after;
    });
  };
}

/** A file by its path, or beside the server's configuration file, which includes it. */
export function include(node: string, name: string, maskedText: string, line: string): Edit {
  return all(append(node, "postgresql.conf", `${line}\n`), (world) => {
    change(world, node, ({ files, ...facts }) => {
      const folder = facts.database.configFile?.replace(/[^/]*$/, "") ?? "";
      const path = name.startsWith("/") ? name : folder + name;
      const included = absentFile(path, "server-conf");
      return {
        ...facts,
        files: [...files, { ...included, state: "present", origin: "include", maskedText }],
      };
    });
  });
}

export function append(node: string, name: string, text: string): Edit {
  return (world) => changeFile(world, node, name, (before) => before + text);
}

/** In both copies on both nodes. */
export function inEveryModule(from: string | RegExp, to: string): Edit {
  return all(
    inFile("srv127", "HAmodule.conf", from, to),
    inFile("srv129", "HAmodule.conf", from, to),
  );
}

export function module(node: string, from: string | RegExp, to: string): Edit {
  return inFile(node, "HAmodule.conf", from, to);
}

export function settings(node: string, part: Record<string, string>): Edit {
  return (world) => changeSettings(world, node, part);
}

export function database(node: string, part: Partial<NodeFacts["database"]>): Edit {
  return (world) => changeDatabase(world, node, part);
}

export function pool(node: string, part: Partial<NonNullable<NodeFacts["pool"]>>): Edit {
  return (world) => changePool(world, node, part);
}

export function guard(node: string, mode: NodeFacts["guard"]["mode"]): Edit {
  return (world) => change(world, node, (facts) => ({ ...facts, guard: { ...facts.guard, mode } }));
}

/** What its agent says of a file, besides its text. */
export function file(node: string, name: string, part: Partial<FileFacts>): Edit {
  return (world) =>
    change(world, node, (facts) => ({
      ...facts,
      files: facts.files.map((known) =>
        known.path.endsWith(name) ? { ...known, ...part } : known,
      ),
    }));
}

export function addresses(node: string, rows: NodeFacts["host"]["addresses"]): Edit {
  return (world) =>
    change(world, node, (facts) => ({ ...facts, host: { ...facts.host, addresses: rows } }));
}
