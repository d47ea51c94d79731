/** A command as completion sees it. */
export type CommandShape = {
  readonly name: string;
  readonly options: readonly string[];
  readonly commands: readonly CommandShape[];
};

/**
 * A bash completion script for the whole tree; zsh reads it through bashcompinit.
 * After arguments the options of their command are offered.
 */
export function renderCompletion(program: CommandShape, shell: "bash" | "zsh"): readonly string[] {
  const commands = flatten(program, "");
  const paths = commands.map(({ path }) => path).filter((path) => path !== "");
  const cases = commands.map(
    ({ path, shape }) =>
      `    "${path}") words="${[...shape.commands.map((c) => c.name), ...shape.options].join(" ")}" ;;`,
  );
  return [
    ...(shell === "zsh" ? ["autoload -U +X bashcompinit && bashcompinit"] : []),
    `_${program.name}() {`,
    '  local path="" word words',
    // Only words that are subcommands lead on: arguments and values of options don't.
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    case "${path:+$path }$word" in',
    `      ${paths.map((path) => `"${path}"`).join("|")}) path="\${path:+$path }$word" ;;`,
    "    esac",
    "  done",
    '  case "$path" in',
    ...cases,
    "  esac",
    '  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
    "}",
    `complete -F _${program.name} ${program.name}`,
  ];
}

function flatten(shape: CommandShape, path: string): { path: string; shape: CommandShape }[] {
  return [
    { path, shape },
    ...shape.commands.flatMap((child) =>
      flatten(child, path === "" ? child.name : `${path} ${child.name}`),
    ),
  ];
}
