import type { ConfigChange } from "./config-change.ts";
import type { HaAssignment, HaModule } from "./ha-module.ts";
import { settingChanges, type NamedValue } from "./setting-changes.ts";

/** Key by key: what the scripts would read before and after. */
export function haModuleChanges(before: HaModule, after: HaModule): readonly ConfigChange[] {
  return settingChanges(linesOf(before), linesOf(after));
}

function linesOf(module: HaModule): readonly NamedValue[] {
  const active = module.assignments.map((assignment) => ({
    name: assignment.name,
    value: printValue(module, assignment),
    line: assignment.line,
    commentedOut: false,
  }));
  const commented = module.lines.flatMap((line) => {
    const found = /^[ \t]*#[ \t#]*([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.text);
    const [, name = "", value = ""] = found ?? [];
    return found === null ? [] : [{ name, value, line: line.number, commentedOut: true }];
  });
  return [...active, ...commented].toSorted((a, b) => a.line - b.line);
}

function printValue(module: HaModule, { value, line, column, name }: HaAssignment): string {
  switch (value.kind) {
    case "text":
      return value.text;
    case "array":
      return `(${value.values.join(" ")})`;
    case "unsafe":
      // As it stands there: nobody can say what the scripts make of it.
      return (module.lines[line - 1]?.text ?? "").slice(column + name.length);
  }
}
