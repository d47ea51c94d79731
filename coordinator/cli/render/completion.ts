/** A command as completion sees it. */
export type CommandShape = {
  readonly name: string;
  readonly options: readonly string[];
  readonly commands: readonly CommandShape[];
};

/**
 * A bash completion script for the whole tree; zsh reads it through bashcompinit.
 * Words that begin with a dash complete to options, others to subcommands.
 */
export function renderCompletion(program: CommandShape, shell: "bash" | "zsh"): readonly string[] {
  const cases = flatten(program, "").map(
    ({ path, shape }) =>
      `    "${path}") words="${[...shape.commands.map((c) => c.name), ...shape.options].join(" ")}" ;;`,
  );
  return [
    ...(shell === "zsh" ? ["autoload -U +X bashcompinit && bashcompinit"] : []),
    `_${program.name}() {`,
    '  local path="" word words',
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    case "$word" in -*) ;; *) path="$path $word" ;; esac',
    "  done",
    '  path="${path# }"',
    '  case "$path" in',
    ...cases,
    // Arguments follow a command: keep offering that command's options.
    `    *) path="\${path% *}"; words="--help --json" ;;`,
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
