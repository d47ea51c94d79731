import { readdir, readFile, readlink } from "node:fs/promises";

/** Inodes of a process's open TCP connections to a port, from proc(5): a pool keeps sessions that look like those of its clients. */
export async function databaseSockets(pid: number, port: number): Promise<ReadonlySet<string>> {
  const names = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(
    names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")),
  );
  const own = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/${pid}/net/${name}`, "utf8")),
  );
  // sl, local, remote, state (01 is established), queues, timer, retransmits, uid, timeout, inode
  const open = tables
    .flatMap((table) => table.split("\n").map((line) => line.trim().split(/\s+/)))
    .filter((fields) => fields[2]?.endsWith(remote) && fields[3] === "01")
    .flatMap((fields) => fields[9] ?? []);
  return new Set(open.filter((inode) => own.has(inode)));
}
