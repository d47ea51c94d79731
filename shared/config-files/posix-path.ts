/** `/a//b/./c/../d/` is `/a/b/d`, as PostgreSQL's canonicalize_path() makes it. */
export function canonicalPath(path: string): string {
  const isAbsolute = path.startsWith("/");
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    const last = names.at(-1);
    if (name === ".." && last !== undefined && last !== "..") names.pop();
    else if (name !== ".." || !isAbsolute) names.push(name);
  }
  return (isAbsolute ? "/" : "") + names.join("/");
}

/** A path as a file at `base` names it: relative to the folder of that file. */
export function pathBeside(base: string, path: string): string {
  return canonicalPath(path.startsWith("/") ? path : `${base}/../${path}`);
}
