import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { haAssignment, parseHaModule } from "#shared/config-files/ha-module.ts";
import { mostly, samples } from "./generated.ts";

const names = ["A", "B", "C"];
const line = fc
  .tuple(
    mostly("|||  |\t", "#|\\"),
    mostly("A|B|C", "|A |1|A+|A-b|A[0]|A B|no words"),
    mostly("=", "|==| = |=\t|= "),
    mostly(
      `"x"|x y|'x  y'|"x \t y"|(x y)|( x  "y z"  )|()|1|""|x=y|'"'|"'"|x"y z"w|".*"|\u00e4\u00b8`,
      `"x|(x|x)|(x) y|$B|"$B"|\\x|"x\\"|x;y|~|(x *)|"x""  ""y"|"x#y"|x#y|\r|`,
    ),
    mostly("||| | \t", " # note|#note| \\| y|\r|="),
    mostly("\n", "\r\n|\\\n|"),
  )
  .map((pieces) => pieces.join(""));

/** The vendor's rules (public vendor scripts, build B0290), without any command that could run. */
const reader = `
# One function: after a quote without an end bash misreads what it has not parsed yet.
all() {
PATH=/nonexistent
while read text; do
  text=\${text%%#*}
  key=\${text%%=*}
  value=\${text#*=}
  if [ -n "$key" ] && [ -n "$value" ]; then eval $key=$value; fi
done < "$1"
for key in ${names.join(" ")}; do
  case \${!key@a} in
    *a*) declare -n list=$key; printf 'list\\0'; printf '%s\\0' "\${#list[@]}" "\${list[@]}"; declare +n list ;;
    *) if [ -n "\${!key+set}" ]; then printf 'text\\0%s\\0' "\${!key}"; else printf 'none\\0'; fi ;;
  esac
done
}
all "$1"
`;
/** A shell of its own for each file: a subshell ends at a syntax error, where the vendor's scripts go on. */
const readAll = `for module in modules/*; do /bin/bash --norc reader "$module"; printf 'end\\0'; done`;

test("HAmodule.conf means to us what it means to the shell", async () => {
  const folder = await mkdtemp(join(tmpdir(), "castellan-ha-module-"));
  try {
    const texts = samples(fc.array(line, { minLength: 1, maxLength: 4 }), 0.3).map((l) =>
      l.join(""),
    );
    await mkdir(join(folder, "modules"));
    await writeFile(join(folder, "reader"), reader);
    for (const [index, text] of texts.entries()) {
      await writeFile(join(folder, "modules", String(index).padStart(6, "0")), text, "latin1");
    }
    const args = ["--noprofile", "--norc", "-c", readAll];
    const options = { cwd: folder, env: { LC_ALL: "C" }, extendEnv: false } as const;
    const { stdout } = await execa("/bin/bash", args, { ...options, encoding: "latin1" });
    const theirs = stdout.split("end\0");
    let compared = 0;
    for (const [index, text] of texts.entries()) {
      const module = parseHaModule(text);
      const isUnsafe = module.assignments.some(({ value }) => value.kind === "unsafe");
      if (isUnsafe) continue;
      compared += 1;
      expect(names.map((name) => shown(text, name)).join(""), JSON.stringify(text)).toBe(
        theirs[index],
      );
    }
    expect(compared).toBeGreaterThan(texts.length / 5);
  } finally {
    await rm(folder, { recursive: true });
  }
});

function shown(text: string, name: string): string {
  const value = haAssignment(parseHaModule(text), name)?.value;
  if (value?.kind === "text") return `text\0${value.text}\0`;
  if (value?.kind !== "array") return "none\0";
  return ["list", String(value.values.length), ...value.values, ""].join("\0");
}
